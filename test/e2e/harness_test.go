// SPDX-License-Identifier: Apache-2.0

// Package e2e drives the built binary as a user would, against real servers: a
// whole environment is made, broken, mended and removed.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/kube"
)

// world is one environment on this machine and the user who runs it.
type world struct {
	t      *testing.T
	name   string
	binary string
	tools  string // folder of kubectl and the other servers
	dir    string // the user's project folder, with environments/
	home   string
	state  string
	others map[string]string // operator → file of an identity that is not the runner's
	said   *bytes.Buffer     // all that the binary ever printed, for the canary
	seen   *commandLines     // of all processes while it ran, for the canary too
}

// in is the world within a subtest, which fails in its own name.
func (w *world) in(t *testing.T) *world {
	inner := *w
	inner.t = t
	return &inner
}

// terraform is where Terraform works.
func (w *world) terraform() string { return filepath.Join(w.home, ".cache/clusterup/terraform") }

// newWorld writes the environment file and skips where no environment can be
// made, unless CLUSTERUP_REQUIRE_SERVERS says that this machine must.
func newWorld(t *testing.T, name, file string) *world {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, name: name, binary: filepath.Join(root, "bin/clusterup"), tools: filepath.Join(root, "bin/servers/bin"),
		dir: t.TempDir(), home: t.TempDir(), state: filepath.Join("/var/lib/clusterup", name), said: &bytes.Buffer{},
		seen: &commandLines{lines: map[string]bool{}},
	}
	for _, need := range []string{w.binary, filepath.Join(w.tools, "vault")} {
		if _, err := os.Stat(need); err != nil || os.Geteuid() != 0 {
			if os.Getenv("CLUSTERUP_REQUIRE_SERVERS") != "" {
				t.Fatalf("need root and %s: %v", need, err)
			}
			t.Skipf("need root and %s (make servers build)", need)
		}
	}
	if err := os.MkdirAll(filepath.Join(w.dir, "environments"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "environments", name+".yaml"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	w.alone()
	remove := func() {
		if _, err := os.Stat(w.state); err == nil {
			w.run(5*time.Minute, "destroy", name, "--yes", "--purge")
		}
	}
	remove() // what a run of this test left that was killed
	t.Cleanup(remove)
	return w
}

// alone makes sure that no other run of this test works on the same environment.
// The system gives the lock back when this process ends.
func (w *world) alone() {
	w.t.Helper()
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "clusterup-"+w.name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = file.Close() })
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		w.t.Fatalf("another run of this test has the environment %s: %v", w.name, err)
	}
}

// outcome is what one run of the binary printed and how it ended.
type outcome struct {
	out, err string
	code     int
	took     time.Duration
}

func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, w.binary, args...)
	c.Dir = w.dir
	c.Env = append(os.Environ(), "HOME="+w.home, "XDG_CONFIG_HOME=", "XDG_CACHE_HOME=", "NO_COLOR=1")
	return c
}

// run runs the binary to its end.
func (w *world) run(limit time.Duration, args ...string) outcome {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out, stderr bytes.Buffer
	c := w.command(ctx, args...)
	c.Stdout, c.Stderr = &out, &stderr
	start := time.Now()
	err := w.watched(c, func() {})
	took := time.Since(start)
	w.said.Write(out.Bytes())
	w.said.Write(stderr.Bytes())
	w.t.Logf("clusterup %s: %.1fs, %d MB\n%s%s", strings.Join(args, " "), took.Seconds(), peakMB(c), stderr.String(), out.String())
	runsAnother := slices.Contains(args, "--") // whose memory the system adds
	if mb := peakMB(c); mb > maxMB && !runsAnother {
		w.t.Errorf("clusterup %s held %d MB, more than %d", args[0], mb, maxMB)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("running clusterup: %v", err)
	}
	return outcome{out: out.String(), err: stderr.String(), code: c.ProcessState.ExitCode(), took: took}
}

// must runs the binary and expects success.
func (w *world) must(limit time.Duration, args ...string) outcome {
	w.t.Helper()
	o := w.run(limit, args...)
	if o.code != 0 {
		w.t.Fatalf("clusterup %s ended with %d", strings.Join(args, " "), o.code)
	}
	return o
}

// maxMB is what clusterup itself may hold at the most.
const maxMB = 150

// peakMB is the most memory that the process itself held.
func peakMB(c *exec.Cmd) int64 {
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return usage.Maxrss / 1024
	}
	return 0
}

// kubeconfigFile holds a key and is the test's own.
const kubeconfigFile = "kubeconfig"

func (w *world) kubeconfigPath() string { return filepath.Join(w.home, kubeconfigFile) }

// kubeconfig writes what `clusterup kubeconfig` prints and returns its path.
func (w *world) kubeconfig() string {
	w.t.Helper()
	path := w.kubeconfigPath()
	c := w.command(w.t.Context(), "kubeconfig", w.name) // not kept for the canary: its product is a secret
	config, err := c.Output()
	if err != nil {
		w.t.Fatalf("clusterup kubeconfig: %v", err)
	}
	if err := os.WriteFile(path, config, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) cluster() *kube.Cluster {
	w.t.Helper()
	c, err := kube.Connect(kube.Config{Kubeconfig: w.kubeconfig()})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// kubectl runs kubectl and expects success.
func (w *world) kubectl(stdin string, args ...string) string {
	w.t.Helper()
	out, err := w.kubectlCommand(stdin, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// tryKubectl runs kubectl, which may be refused.
func (w *world) tryKubectl(args ...string) string {
	out, _ := w.kubectlCommand("", args...).CombinedOutput()
	return string(out)
}

func (w *world) kubectlCommand(stdin string, args ...string) *exec.Cmd {
	c := exec.CommandContext(w.t.Context(), filepath.Join(w.tools, "kubectl"), args...)
	c.Env = append(os.Environ(), "HOME="+w.home, "KUBECONFIG="+w.kubeconfigPath())
	c.Stdin = strings.NewReader(stdin)
	return c
}
