// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const denied = "AccessDenied"

// podsWorld is a server with a limited user, and the ways to it.
type podsWorld struct {
	root    *s3.Client                          // over loopback
	through func(key, secret string) *s3.Client // the TLS listener
	address string                              // of that listener
}

func startPods(t *testing.T) podsWorld {
	t.Helper()
	dir := t.TempDir()
	cert, key, roots := certificate(t, dir)
	w := podsWorld{address: freeAddress(t)}
	w.root = startWith(t, dir, `{"accessKey":"test","secretKey":"only-for-this-test",
		"limited":{"accessKey":"pod","secretKey":"limited","prefix":"env/backups/"}}`,
		"--pods-address", w.address, "--pods-cert", cert, "--pods-key", key)
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	t.Cleanup(web.CloseIdleConnections)
	w.through = func(key, secret string) *s3.Client {
		return s3.New(s3.Options{
			BaseEndpoint: aws.String("https://" + w.address), Region: "us-east-1", UsePathStyle: true, HTTPClient: web,
			Credentials:                credentials.NewStaticCredentialsProvider(key, secret, ""),
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
			ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		})
	}
	return w
}

// The limited user works below its prefix, over TLS, with the signatures and the
// trailing checksums of the SDK, and on conditions.
func TestLimitedUserWorksBelowItsPrefix(t *testing.T) {
	w := startPods(t)
	pod := w.through("pod", "limited")
	large := strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB
	if _, code := put(t.Context(), pod, "env/backups/consul/a.age", large, absent); code != "" {
		t.Fatal("put:", code)
	}
	if _, code := put(t.Context(), pod, "env/backups/consul/a.age", "other", absent); code != failed {
		t.Errorf("create-only put of a key that is there: %q", code)
	}
	out, err := pod.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("env/backups/consul/a.age")})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(out.Body); err != nil || string(body) != large {
		t.Errorf("read %d bytes, %v", len(body), err)
	}
	for _, prefix := range []string{"env/backups/", "env/backups/consul/"} {
		list, err := pod.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: &prefix})
		if err != nil || len(list.Contents) != 1 {
			t.Errorf("list %s: %v", prefix, err)
		}
	}
	if _, err := pod.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("env/backups/consul/a.age")}); err != nil {
		t.Error(err)
	}
}

// The limited user can do nothing else, by either way in.
func TestLimitedUserCanDoNothingElse(t *testing.T) {
	w := startPods(t)
	for _, key := range []string{"env/tokens/a.age", "other/backups/a.age", "env/backups.json"} {
		if _, code := put(t.Context(), w.root, key, "secret"); code != "" {
			t.Fatal(code)
		}
	}
	direct := s3.New(w.root.Options(), func(o *s3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("pod", "limited", "")
	})
	for way, pod := range map[string]*s3.Client{"TLS": w.through("pod", "limited"), "loopback": direct} {
		name := aws.String(bucket)
		tries := map[string]func() error{
			"list everything": func() error {
				_, err := pod.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: name})
				return err
			},
			"list another prefix": func() error {
				_, err := pod.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: name, Prefix: aws.String("env/tokens/")})
				return err
			},
			"list the parent": func() error {
				_, err := pod.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: name, Prefix: aws.String("env/")})
				return err
			},
			"list versions": func() error {
				_, err := pod.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: name})
				return err
			},
			"read the policy": func() error {
				_, err := pod.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: name})
				return err
			},
			"change the policy": func() error {
				_, err := pod.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: name, Policy: aws.String(`{"Version":"2012-10-17","Statement":[]}`)})
				return err
			},
			"delete the policy": func() error {
				_, err := pod.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: name})
				return err
			},
			"delete the bucket": func() error {
				_, err := pod.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: name})
				return err
			},
			"make a bucket": func() error {
				_, err := pod.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("another-bucket")})
				return err
			},
			"copy into its prefix": func() error {
				_, err := pod.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: name, Key: aws.String("env/backups/b"), CopySource: aws.String(bucket + "/env/tokens/a.age")})
				return err
			},
		}
		for _, key := range []string{"env/tokens/a.age", "other/backups/a.age", "env/backups.json"} {
			tries["read "+key] = func() error {
				_, err := pod.GetObject(t.Context(), &s3.GetObjectInput{Bucket: name, Key: &key})
				return err
			}
			tries["write "+key] = func() error {
				_, err := pod.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: &key, Body: strings.NewReader("mine")})
				return err
			}
			tries["delete "+key] = func() error {
				_, err := pod.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: &key})
				return err
			}
		}
		for what, try := range tries {
			if err := try(); err == nil || codeOf(err) != denied {
				t.Errorf("%s over %s: %v", what, way, err)
			}
		}
	}
}

// A key that leads out of the prefix, as a store of files reads it, is refused on
// the pods' listener: the policy alone would let it pass.
func TestKeysThatLeadOutAreRefused(t *testing.T) {
	w := startPods(t)
	if _, code := put(t.Context(), w.root, "env/tokens/a.age", "secret"); code != "" {
		t.Fatal(code)
	}
	pod := w.through("pod", "limited")
	for _, key := range []string{"env/backups/../tokens/a.age", "env/backups//../../env/tokens/a.age", "env/backups/%2e%2e/tokens/a.age", "env/backups/./x"} {
		_, err := pod.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &key})
		if err == nil || codeOf(err) != denied {
			t.Errorf("read %s: %v", key, err)
		}
		if _, code := put(t.Context(), pod, key, "mine"); code != denied {
			t.Errorf("write %s: %q", key, code)
		}
	}
	_, err := pod.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String(bucket), Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("env/backups/../tokens/a.age")}},
	}})
	if err == nil || codeOf(err) != denied {
		t.Errorf("delete many: %v", err)
	}
	if _, code := put(t.Context(), w.root, "env/tokens/a.age", "x", absent); code != failed {
		t.Errorf("the object outside is gone: %q", code)
	}
}

// Root's key, a key that nobody has and no key at all are refused on the pods'
// listener, and a limited user with another secret by the store.
func TestOnlyTheLimitedUserComesThisWay(t *testing.T) {
	w := startPods(t)
	for name, client := range map[string]*s3.Client{
		"root": w.through("test", "only-for-this-test"), "nobody": w.through("nobody", "limited"),
	} {
		if _, code := put(t.Context(), client, "env/backups/a", "1"); code != denied {
			t.Errorf("%s: %q", name, code)
		}
	}
	var wrong smithy.APIError
	_, err := w.through("pod", "guessed").ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("env/backups/")})
	if !errors.As(err, &wrong) || wrong.ErrorCode() != "SignatureDoesNotMatch" {
		t.Errorf("another secret: %v", err)
	}
	for _, header := range []string{"", "AWS4-HMAC-SHA256 Credential=test/x", "AWS4-HMAC-SHA256 Credential=pod/x, Credential=test/x", "Basic dGVzdA=="} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+w.address+"/"+bucket+"?X-Amz-Credential=test%2Fx", nil)
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		resp, err := w.through("pod", "limited").Options().HTTPClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%q is answered with %s", header, resp.Status)
		}
	}
}

// The address of the pods' listener need not exist when the server starts.
func TestListensOnAnAddressThatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	cert, key, _ := certificate(t, dir)
	startWith(t, dir, `{"accessKey":"test","secretKey":"s","limited":{"accessKey":"pod","secretKey":"l","prefix":"p/"}}`,
		"--pods-address", "198.51.100.77:29123", "--pods-cert", cert, "--pods-key", key)
}

// certificate writes one of 127.0.0.1 that is its own authority.
func certificate(t *testing.T, dir string) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certFile, keyFile = filepath.Join(dir, "pods.crt"), filepath.Join(dir, "pods.key")
	for path, data := range map[string][]byte{certFile: certPEM, keyFile: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, roots
}
