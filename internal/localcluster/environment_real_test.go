// SPDX-License-Identifier: Apache-2.0

//go:build linux

package localcluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/testservers"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestMain lets the test's own program be the one that provisioners and nodes
// call, as clusterup is in earnest.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Command {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		if err := Main(ctx, os.Args[2:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // this is a main
		}
		return
	}
	os.Exit(m.Run()) //nolint:forbidigo // as every TestMain does
}

// realConfig is an environment of its own, whose end is proved when the test is
// over, whatever became of it.
func realConfig(t *testing.T, nodes int) Config {
	t.Helper()
	c := Config{
		Environment: fmt.Sprintf("t%d-%s", os.Getpid(), strings.ToLower(t.Name()[4:12])),
		StateRoot:   filepath.Join(t.TempDir(), "state"),
		Servers:     filepath.Dir(filepath.Dir(testservers.Bin(t, "kubelet"))),
		Nodes:       nodes,
		// Not one that an environment with another state folder could pick.
		Subnet: fmt.Sprintf("10.%d.0.0/16", 200+os.Getpid()%50),
	}
	if err := Preflight(t.Context(), c); err != nil {
		testservers.Missing(t, "this machine can't hold an environment: %v", err)
	}
	before, alone := currentSettings(t), !exists(raisedFile) // else another environment holds them up
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if t.Failed() {
			showLogs(t, c)
		}
		for name, end := range map[string]func(context.Context, Config) error{"remove": Remove, "purge": PurgeStore} {
			if err := end(ctx, c); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		left, err := LeftBehind(ctx, c)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if exists(c.StateRoot) {
			t.Errorf("%s is still there", c.StateRoot)
		}
		if diff := cmp.Diff(before, currentSettings(t)); diff != "" && alone && !exists(raisedFile) {
			t.Errorf("the machine's settings changed:\n%s", diff)
		}
	})
	return c
}

func currentSettings(t *testing.T) map[string]int {
	t.Helper()
	values := map[string]int{}
	for name := range settings() {
		value, err := readSetting(name)
		if err != nil {
			t.Fatal(err)
		}
		values[name] = value
	}
	return values
}

func showLogs(t *testing.T, c Config) {
	logs, _ := filepath.Glob(filepath.Join(c.layout().logs(), "*.log"))
	for _, log := range logs {
		text, _ := os.ReadFile(log)
		t.Logf("%s:%s", filepath.Base(log), tail(string(text), 15))
	}
}

// call runs `clusterup local NAME` as Terraform would: as a process of its own
// whose end is waited for.
func call(t *testing.T, c Config, name string, more ...string) {
	t.Helper()
	args := append([]string{
		Command, name, "--environment", c.Environment, "--state", c.StateRoot, "--servers", c.Servers,
		"--nodes", fmt.Sprint(c.Nodes), "--subnet", c.Subnet,
	}, more...)
	out, err := exec.CommandContext(t.Context(), os.Args[0], args...).CombinedOutput()
	t.Logf("%s:\n%s", name, out)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func kubectl(t *testing.T, c Config, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(c.Servers, "bin", "kubectl"), args...)
	cmd.Env = []string{"KUBECONFIG=" + c.layout().kubeconfig(), "HOME=" + t.TempDir()}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v: %s", args[0], err, out)
	}
	return string(out)
}

func until(t *testing.T, what string, check func() bool) {
	t.Helper()
	err := converge.Until(t.Context(), what, 90*time.Second, func(context.Context) (bool, string, error) { return check(), "", nil })
	if err != nil {
		t.Fatal(err)
	}
}

func generation(t *testing.T, c Config) string {
	t.Helper()
	o, err := Observe(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return o.Generation
}

// writer adds the name of its node to a file on a volume at every start. It
// asks the API server through a service name first, so that DNS, the service
// network and the network of pods have to work.
const writer = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {runAsUser: 1000}
  containers:
  - name: writer
    image: docker.io/hashicorp/consul:1.22.5
    command:
    - /bin/sh
    - -c
    - |
      until nslookup kubernetes.default.svc.cluster.local && nc -w 2 kubernetes.default 443 < /dev/null; do sleep 0.2; done
      echo start >> /data/starts
      exec sleep 100000
    readinessProbe: {exec: {command: [test, -s, /data/starts]}, periodSeconds: 1}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes:
  - name: data
    persistentVolumeClaim: {claimName: data}
`

// daemonPID is the process id of a daemon of the only node, zero while it does
// not run.
func daemonPID(t *testing.T, c Config, name string) int {
	t.Helper()
	all, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	pids, err := os.ReadFile(filepath.Join(all[0].dir, c.layout().nodeCgroup(1), "system", "cgroup.procs"))
	if err != nil {
		t.Fatal(err)
	}
	for pid := range strings.FieldsSeq(string(pids)) {
		comm, _ := os.ReadFile(filepath.Join("/proc", pid, "comm"))
		if strings.TrimSpace(string(comm)) == name {
			n, _ := strconv.Atoi(pid)
			return n
		}
	}
	return 0
}

// starts counts the starts that the writer's volume remembers, seen from this
// machine.
func starts(t *testing.T, c Config) int {
	t.Helper()
	files, err := filepath.Glob(c.layout().node(1).path("var", "local-path", "pvc-*", "starts"))
	if err != nil || len(files) != 1 {
		return 0
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(data, []byte("start"))
}

// An environment outlives the program that made it; a killed node comes back
// with its volume; one more node joins; and nothing of it all is left.
func TestEnvironmentLivesDiesAndComesBack(t *testing.T) {
	c := realConfig(t, 1)
	if _, err := Reserve(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	first := generation(t, c)
	call(t, c, "disk-create")
	call(t, c, "boot", "--generation", first)
	if now := generation(t, c); now != first {
		t.Fatalf("after the boot the generation is %s, want still %s", now, first)
	}
	kubectl(t, c, writer, "apply", "-f", "-")
	until(t, "the first start", func() bool { return starts(t, c) == 1 })

	pid, err := livingNode(c.layout().node(1))
	if err != nil || pid == 0 {
		t.Fatalf("node 1: process %d, %v", pid, err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the node", func() bool { return generation(t, c) != first })
	until(t, "the end of all its processes", func() bool {
		left, err := leftProcesses(c.layout())
		return err == nil && len(left) == 0
	})
	// As after a restart of the machine, nothing but the folder is there.
	if err := removeOutside(t.Context(), c.layout()); err != nil {
		t.Fatal(err)
	}
	second := generation(t, c)
	call(t, c, "boot", "--generation", second)
	if now := generation(t, c); now != second {
		t.Fatalf("after the second boot the generation is %s, want %s", now, second)
	}
	until(t, "the second start on the same volume", func() bool { return starts(t, c) == 2 })

	killed := daemonPID(t, c, "kubelet")
	if err := unix.Kill(killed, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "another kubelet", func() bool { now := daemonPID(t, c, "kubelet"); return now != 0 && now != killed })

	c.Nodes = 2
	call(t, c, "boot", "--generation", second)
	if nodes := kubectl(t, c, "", "get", "nodes", "--no-headers"); strings.Count(nodes, " Ready ") != 2 {
		t.Errorf("nodes:\n%s", nodes)
	}
	call(t, c, "boot", "--generation", second) // nothing to do
	c.Nodes = 1
	if err := Preflight(t.Context(), c); err == nil || !strings.Contains(err.Error(), "has 2 nodes") {
		t.Errorf("a node can't be taken away, but: %v", err)
	}
}

// A boot that is killed on its way goes on when it is run again.
func TestBootGoesOnAfterAKill(t *testing.T) {
	c := realConfig(t, 1)
	for _, after := range []time.Duration{150 * time.Millisecond, 2 * time.Second, 5 * time.Second} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], Command, "boot", "--environment", c.Environment, "--state", c.StateRoot,
			"--servers", c.Servers, "--subnet", c.Subnet, "--nodes", "1", "--generation", "x-1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(after):
		}
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // the whole group, as a killed Terraform's is
		_ = cmd.Wait()
	}
	call(t, c, "boot", "--generation", "x-1")
	if nodes := kubectl(t, c, "", "get", "nodes", "--no-headers"); strings.Count(nodes, " Ready ") != 1 {
		t.Errorf("nodes:\n%s", nodes)
	}
}
