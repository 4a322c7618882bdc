// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"clusterup.dev/clusterup/internal/secret"
)

// S3Server is a running S3 server with one empty bucket.
type S3Server struct {
	Endpoint  string // "http://127.0.0.1:20123"
	Region    string
	Bucket    string
	AccessKey string
	SecretKey secret.Value
	Data      string // the folder whose files the objects are
	Process   *Process

	program Program
}

// Restart starts the server again after it was killed: the same address,
// credentials and objects.
func (s *S3Server) Restart(t testing.TB) {
	t.Helper()
	s.Process.Kill()
	s.Process = Start(t, s.program)
}

// S3 starts the S3 server of the local environment with random credentials and
// without versions.
func S3(t testing.TB) *S3Server {
	t.Helper()
	return startS3(t)
}

// VersionedS3 is S3 with a folder for versions: a bucket's versioning can be
// turned on there.
func VersionedS3(t testing.TB) *S3Server {
	t.Helper()
	return startS3(t, "--versions", filepath.Join(t.TempDir(), "versions"))
}

func startS3(t testing.TB, more ...string) *S3Server {
	t.Helper()
	bin := Bin(t, "s3")
	dir := t.TempDir()
	s := &S3Server{
		Region:    "us-east-1",
		Bucket:    "test",
		AccessKey: "AK" + rand.Text()[:14],
		SecretKey: secret.NewString(rand.Text()),
		Data:      filepath.Join(dir, "data"),
	}
	b, err := json.Marshal(map[string]string{"accessKey": s.AccessKey, "secretKey": s.SecretKey.RevealString()})
	if err != nil {
		t.Fatal(err)
	}
	credentials := filepath.Join(dir, "credentials.json")
	if err := os.WriteFile(credentials, b, 0o600); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", Port(t))
	s.Endpoint = "http://" + address
	s.program = Program{
		Path: bin,
		Args: append([]string{
			"--address", address, "--data", s.Data, "--region", s.Region,
			"--bucket", s.Bucket, "--credentials", credentials,
		}, more...),
		Ready: Answers(s.Endpoint + "/healthz"),
	}
	s.Process = Start(t, s.program)
	return s
}
