// SPDX-License-Identifier: Apache-2.0

package terraform_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/terraform"
)

// TestMain lets the test binary also be a run that is killed in its apply.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TEST_APPLY"); dir != "" {
		fmt.Fprintln(os.Stdout, applyAs(dir))
		return
	}
	m.Run()
}

type driven struct {
	Binary, AccessKey, SecretKey string
	Config                       terraform.Config
}

func applyAs(dir string) error {
	var d driven
	data, err := os.ReadFile(filepath.Join(dir, "driven.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	d.Config.Module = os.DirFS("testdata/module")
	d.Config.Env = map[string]secret.Value{
		"AWS_ACCESS_KEY_ID": secret.NewString(os.Getenv("TEST_ACCESS")), "AWS_SECRET_ACCESS_KEY": secret.NewString(os.Getenv("TEST_SECRET")),
	}
	tf, err := terraform.New(d.Config)
	if err != nil {
		return err
	}
	p, err := tf.Plan(context.Background())
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "planned")
	return tf.Apply(context.Background(), p)
}

// crash starts an apply in another process, waits until its command has made a
// file, and kills it.
func crash(t *testing.T, p *place, command, made string) {
	t.Helper()
	c := p.config(map[string]any{"generation": "1", "command": command})
	c.Module, c.Env = nil, nil
	data, err := json.Marshal(driven{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "driven.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "TEST_APPLY="+dir,
		"TEST_ACCESS="+p.server.AccessKey, "TEST_SECRET="+p.server.SecretKey.RevealString())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "planned\n" {
		t.Fatalf("the other run says %q", line)
	}
	until(t, "the command", func() bool { return exists(made) })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

func pidIn(t *testing.T, file string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func runLock(t *testing.T, p *place) *store.Lease {
	t.Helper()
	l, err := store.Acquire(t.Context(), p.bucket, store.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release(context.WithoutCancel(t.Context())) })
	return l
}

// After kill -9 of this program: terraform dies with it, its lock stays, its
// command goes on as an orphan. The next run ends the command, frees the lock
// and makes what is missing; what went into its own session stays.
func TestAKilledRunIsRecovered(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir := t.TempDir()
	orphan, daemon := filepath.Join(dir, "orphan"), filepath.Join(dir, "daemon")
	crash(t, p, fmt.Sprintf("setsid sh -c 'echo $$ > %s; exec sleep 300' </dev/null >/dev/null 2>&1 & "+
		"while ! test -s %s; do sleep 0.01; done; echo $$ > %s.part; mv %s.part %s; sleep 300; true",
		daemon, daemon, orphan, orphan, orphan), orphan)
	daemonPID, orphanPID := pidIn(t, daemon), pidIn(t, orphan)
	t.Cleanup(func() { _ = syscall.Kill(daemonPID, syscall.SIGKILL) })
	if !alive(orphanPID) {
		t.Fatal("the command did not outlive its run: nothing is proved here")
	}

	tf := p.terraform(t, "1", "true")
	if err := tf.Apply(t.Context(), plan(t, tf)); !errors.Is(err, terraform.ErrLocked) {
		t.Errorf("apply under a dead run's lock: %v", err)
	}
	if err := tf.Recover(t.Context(), runLock(t, p), p.readLock); err != nil {
		t.Fatal(err)
	}
	if alive(orphanPID) {
		t.Error("the orphan goes on")
	}
	if !alive(daemonPID) {
		t.Error("what was meant to stay was ended")
	}
	apply(t, tf)
	if again := plan(t, tf); again.File != "" {
		t.Errorf("after recovery and apply: %+v", again.Changes)
	}
}

func TestRecoverWithoutTheRunLockDoesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	made := filepath.Join(t.TempDir(), "made")
	crash(t, p, "touch "+made+"; sleep 2", made)
	l := runLock(t, p)
	if _, err := store.Break(t.Context(), p.bucket); err != nil {
		t.Fatal(err)
	}
	tf := p.terraform(t, "1", "true")
	if err := tf.Recover(t.Context(), l, p.readLock); !errors.Is(err, store.ErrLost) {
		t.Errorf("Recover: %v", err)
	}
	if data, err := p.readLock(t.Context()); err != nil || data == nil {
		t.Errorf("the lock was freed: %q, %v", data, err)
	}
}

// A terraform that somebody runs by hand on this machine keeps its lock.
func TestALivingTerraformKeepsItsLock(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	made := filepath.Join(t.TempDir(), "made")
	ctx, cancel := context.WithCancel(t.Context())
	other := p.terraform(t, "1", "touch "+made+"; sleep 300; true")
	first := plan(t, other)
	done := make(chan error, 1)
	go func() { done <- other.Apply(ctx, first) }()
	until(t, "the command", func() bool { return exists(made) })

	// From another folder, as another checkout would have it.
	elsewhere := *p
	elsewhere.dir = t.TempDir()
	tf := elsewhere.terraform(t, "1", "true")
	if err := tf.Recover(t.Context(), runLock(t, p), p.readLock); !errors.Is(err, terraform.ErrLocked) {
		t.Errorf("Recover: %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled apply: %v", err)
	}
}

// A lock from another machine is freed only when the run lock has been held for
// as long as a run there may still need to end.
func TestALockFromElsewhereIsOutwaited(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	made := filepath.Join(t.TempDir(), "made")
	crash(t, p, "touch "+made+"; sleep 2", made)
	data, version, err := p.bucket.Get(t.Context(), terraform.LockKey)
	if err != nil {
		t.Fatal(err)
	}
	var lock map[string]any
	if err := json.Unmarshal(data, &lock); err != nil {
		t.Fatal(err)
	}
	lock["Who"] = "root@elsewhere"
	if data, err = json.Marshal(lock); err != nil {
		t.Fatal(err)
	}
	if _, err := p.bucket.PutIf(t.Context(), terraform.LockKey, data, version); err != nil {
		t.Fatal(err)
	}
	c := p.config(map[string]any{"generation": "1", "command": "true"})
	c.Patience = 800 * time.Millisecond
	tf, err := terraform.New(c)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := tf.Recover(t.Context(), runLock(t, p), p.readLock); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(start); waited < time.Second {
		t.Errorf("freed after %s", waited)
	}
	apply(t, tf)
}

// A Ctrl-C in the middle: what is finished is kept, the lock is free, nothing of
// the command is left, and the next run makes the rest.
func TestAnInterruptedApplyGoesOn(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir := t.TempDir()
	made := filepath.Join(dir, "made")
	tf := p.terraform(t, "1", fmt.Sprintf("sleep 300 & echo $! > %s.part; mv %s.part %s; wait", made, made, made))
	first := plan(t, tf)
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	go func() {
		until(t, "the command", func() bool { return exists(made) })
		cancel(interrupted)
	}()
	if err := tf.Apply(ctx, first); !errors.Is(err, interrupted) {
		t.Errorf("apply: %v", err)
	}
	if pid := pidIn(t, made); alive(pid) {
		t.Errorf("child %d of the command goes on", pid)
	}
	if data, err := p.readLock(t.Context()); err != nil || data != nil {
		t.Errorf("the lock is held: %q, %v", data, err)
	}
	tf = p.terraform(t, "1", "true")
	rest := plan(t, tf)
	for _, c := range rest.Changes {
		if c.Subject == "terraform_data.first" {
			t.Errorf("what was finished is made again: %+v", c)
		}
	}
	apply(t, tf)
}

// When the bucket goes away during an apply, Terraform leaves the state beside
// the module; the next run stores it.
func TestALeftStateIsStored(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	apply(t, p.terraform(t, "1", "true"))
	left := filepath.Join(p.dir, "module", "errored.tfstate")
	state, version, err := p.bucket.Get(t.Context(), terraform.StateKey)
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(state, &s); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, state, 0o600); err != nil {
		t.Fatal(err)
	}
	// The bucket has an earlier one, without anything in it.
	s["serial"], s["resources"], s["outputs"] = 0, []any{}, map[string]any{}
	if state, err = json.Marshal(s); err != nil {
		t.Fatal(err)
	}
	if _, err := p.bucket.PutIf(t.Context(), terraform.StateKey, state, version); err != nil {
		t.Fatal(err)
	}
	tf := p.terraform(t, "1", "true")
	if err := tf.Recover(t.Context(), runLock(t, p), p.readLock); err != nil {
		t.Fatal(err)
	}
	if again := plan(t, tf); again.File != "" {
		t.Errorf("after storing the state: %+v", again.Changes)
	}
	if exists(left) {
		t.Error("the file is still there")
	}
}

// The same for real: the bucket goes away in the middle of an apply. Terraform
// tries for a while, so this takes most of a minute.
func TestABucketThatGoesAwayLosesNothing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	p := newPlace(t)
	made, gone := filepath.Join(t.TempDir(), "made"), filepath.Join(t.TempDir(), "gone")
	command := fmt.Sprintf("touch %s; while ! test -e %s; do sleep 0.05; done", made, gone)
	tf := p.terraform(t, "1", command)
	first := plan(t, tf)
	go func() {
		until(t, "the command", func() bool { return exists(made) })
		p.server.Process.Kill()
		if err := os.WriteFile(gone, nil, 0o600); err != nil {
			t.Error(err)
		}
	}()
	if err := tf.Apply(t.Context(), first); err == nil {
		t.Fatal("apply without a bucket")
	} else {
		t.Log(err)
	}
	p.server.Restart(t)
	if err := tf.Recover(t.Context(), runLock(t, p), p.readLock); err != nil {
		t.Fatal(err)
	}
	if again := plan(t, tf); again.File != "" {
		t.Errorf("after recovery: %+v", again.Changes)
	}
}

var _ terraform.Holder = (*store.Lease)(nil)
