// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// The test binary is also the server: there can be one in a process, and it
// must be ended by a signal.
func TestMain(m *testing.M) {
	if os.Getenv("S3_TEST_SERVER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const bucket = "clusterup-test"

// start runs a server on a free port until the test ends and returns a client.
func start(t *testing.T) *s3.Client {
	t.Helper()
	return startIn(t, t.TempDir())
}

func startIn(t *testing.T, dir string) *s3.Client {
	t.Helper()
	return startWith(t, dir, `{"accessKey":"test","secretKey":"only-for-this-test"}`)
}

func startWith(t *testing.T, dir, users string, more ...string) *s3.Client {
	t.Helper()
	key := filepath.Join(dir, "credentials.json")
	if err := os.WriteFile(key, []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	pidFile := filepath.Join(dir, "pid")
	cmd := exec.Command(os.Args[0], append([]string{
		"--address", address, "--data", filepath.Join(dir, "data"),
		"--versions", filepath.Join(dir, "versions"), "--bucket", bucket, "--credentials", key, "--pid-file", pidFile,
	}, more...)...)
	cmd.Env = append(os.Environ(), "S3_TEST_SERVER=1")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	var waitErr error
	go func() {
		waitErr = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		pid, err := os.ReadFile(pidFile)
		if err != nil || strings.TrimSpace(string(pid)) != strconv.Itoa(cmd.Process.Pid) {
			t.Errorf("pid file holds %q, %v; the server is %d", pid, err, cmd.Process.Pid)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		<-exited
		if waitErr != nil {
			t.Errorf("the server did not end cleanly: %v\n%s", waitErr, said.String())
		}
		if _, err := os.Stat(pidFile); !os.IsNotExist(err) {
			t.Errorf("the pid file is still there: %v", err)
		}
	})
	waitHealthy(t, address, exited)
	return s3.New(s3.Options{
		BaseEndpoint:               aws.String("http://" + address),
		Region:                     "us-east-1",
		UsePathStyle:               true,
		Credentials:                credentials.NewStaticCredentialsProvider("test", "only-for-this-test", ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
	})
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitHealthy asks until it is answered, which is some milliseconds.
func waitHealthy(t *testing.T, address string, exited <-chan struct{}) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case <-exited:
			t.Fatal("the server ended before it was healthy")
		case <-late:
			t.Fatal("the server is not healthy in time")
		default:
		}
		resp, err := http.Get("http://" + address + "/healthz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
	}
}

// put writes and returns the error code, "" for success.
func put(ctx context.Context, c *s3.Client, key, body string, conditions ...func(*s3.PutObjectInput)) (etag, code string) {
	in := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(body)}
	for _, set := range conditions {
		set(in)
	}
	out, err := c.PutObject(ctx, in)
	if err != nil {
		return "", codeOf(err)
	}
	return aws.ToString(out.ETag), ""
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return err.Error()
}

func absent(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }
func match(etag string) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.IfMatch = &etag }
}

func enableVersions(t *testing.T, c *s3.Client) {
	t.Helper()
	_, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  aws.String(bucket),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
}
