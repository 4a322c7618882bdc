// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/testservers"
)

// user is someone at a shell without a terminal, whose environment names a real
// API server and a real S3 server.
type user struct {
	s3       *testservers.S3Server
	client   kubernetes.Interface
	file     string // the environment
	identity string
}

// said is how a command ended.
type said struct {
	code     int
	out, err string
}

func (u *user) types(t *testing.T, args ...string) said {
	t.Helper()
	return u.typesWith(t.Context(), args...)
}

func (u *user) typesWith(ctx context.Context, args ...string) said {
	return u.typesWords(ctx, append(args, u.file, "--identity", u.identity)...)
}

func (u *user) typesWords(ctx context.Context, args ...string) said {
	var out, err bytes.Buffer
	code := Main(ctx, args, Streams{Out: &out, Err: &err})
	return said{code: code, out: out.String(), err: err.String()}
}

// want checks the exit code and what is in the two streams.
func (s said) want(t *testing.T, code int, out, err string) {
	t.Helper()
	if s.code != code || !strings.Contains(s.out, out) || !strings.Contains(s.err, err) {
		t.Errorf("exit code %d, want %d with %q and %q\nstdout:\n%s\nstderr:\n%s", s.code, code, out, err, s.out, s.err)
	}
}

// wantOneLine checks that an error is one line with one hint and nothing else.
func (s said) wantOneLine(t *testing.T, text, hint string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(s.err), "\n")
	if s.code != ExitError || len(lines) != 2 || s.out != "" ||
		!strings.HasPrefix(lines[0], "error: ") || !strings.Contains(lines[0], text) ||
		!strings.HasPrefix(lines[1], "hint: ") || !strings.Contains(lines[1], hint) {
		t.Errorf("exit code %d, want one line with %q and one hint with %q\nstdout:\n%s\nstderr:\n%s", s.code, text, hint, s.out, s.err)
	}
}

func newUser(t *testing.T) *user {
	t.Helper()
	u := &user{s3: testservers.S3(t)}
	for key, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": u.s3.AccessKey, "AWS_SECRET_ACCESS_KEY": u.s3.SecretKey.RevealString(),
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_SESSION_TOKEN": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(key, value)
	}
	dir := t.TempDir()
	u.identity = filepath.Join(dir, "identity.txt")
	me, err := secret.CreateIdentity(u.identity)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := testservers.APIServer(t)
	u.client = withNode(t, kubeconfig)
	u.file = filepath.Join(dir, "environments", "team.yaml")
	write(t, u.file, fmt.Sprintf(`apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: team}
spec:
  cluster: {kubeconfig: {path: %s, context: test}}
  store: {bucket: %s, region: %s, endpoint: %q, pathStyle: true}
  operators: [{name: me, age: %s}]
  addons: [{name: demo}]
`, kubeconfig, u.s3.Bucket, u.s3.Region, u.s3.Endpoint, me.Public()))
	write(t, filepath.Join(dir, "addons/demo/addon.yaml"),
		"apiVersion: clusterup.dev/v1alpha1\nkind: Addon\nname: demo\nversion: 1.0.0\ndescription: For tests\nnamespace: demo\n")
	write(t, filepath.Join(dir, "addons/demo/manifests/settings.yaml"),
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {level: info}}")
	return u
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// withNode gives the cluster one node that claims to be ready.
func withNode(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	node, err := client.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "only"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if _, err := client.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return client
}

// fromJSON reads what a command printed.
func fromJSON(t *testing.T, s said, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.out), into); err != nil {
		t.Fatalf("%v in\n%s\nstderr:\n%s", err, s.out, s.err)
	}
}
