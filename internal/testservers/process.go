// SPDX-License-Identifier: Apache-2.0

package testservers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

const (
	startTimeout = 60 * time.Second // generous: builds may share the machine's cores
	endPatience  = 5 * time.Second  // between the polite signal and the other
)

// Program is what Start runs.
type Program struct {
	Name string   // in logs and failures; default the base name of Path
	Path string   // from Bin, or any other program
	Args []string // never a secret
	Env  []string // "KEY=value", added to the test's own environment
	Dir  string   // working folder; default a new one
	// Ready says whether the server answers. Until it returns nil the server
	// counts as starting. A nil Ready means that there is nothing to wait for.
	Ready func(ctx context.Context) error
}

// Process is a started server.
type Process struct {
	Name string
	PID  int
	Log  string // file with stdout and stderr

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has been waited for
}

// Start runs p in a process group of its own, waits until it is ready and ends
// it with the test. When the test has failed, the end of the log is shown.
func Start(t testing.TB, p Program) *Process {
	t.Helper()
	if p.Name == "" {
		p.Name = filepath.Base(p.Path)
	}
	if p.Dir == "" {
		p.Dir = t.TempDir()
	}
	log, err := os.CreateTemp(t.TempDir(), p.Name+"-*.log")
	if err != nil {
		t.Fatalf("start %s: %v", p.Name, err)
	}
	defer func() { _ = log.Close() }()
	s := &Process{Name: p.Name, Log: log.Name(), exited: make(chan struct{})}
	// The test's context ends before its cleanups, which end the server politely.
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), p.Path, p.Args...)
	s.cmd.Dir, s.cmd.Env = p.Dir, append(os.Environ(), p.Env...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = ownGroup()
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", p.Name, err)
	}
	s.PID = s.cmd.Process.Pid
	go func() {
		_ = s.cmd.Wait()                          // ProcessState tells
		_ = syscall.Kill(-s.PID, syscall.SIGKILL) // children that outlive it
		close(s.exited)
	}()
	t.Cleanup(func() {
		s.End()
		if t.Failed() {
			t.Logf("%s, the end of its log:\n%s", s.Name, tail(s.Log))
		}
	})
	if p.Ready != nil {
		s.await(t, p.Ready)
	}
	return s
}

// await returns when ready does not fail any more, and fails the test when the
// process ends before that.
func (s *Process) await(t testing.TB, ready func(context.Context) error) {
	t.Helper()
	err := converge.Until(t.Context(), s.Name, startTimeout, func(ctx context.Context) (bool, string, error) {
		select {
		case <-s.exited:
			return false, "", converge.Permanent(fmt.Errorf("%s ended: %s", s.Name, s.cmd.ProcessState))
		default:
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		err := ready(ctx)
		return err == nil, "", err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// End ends the whole process group and returns when the server is gone. It may
// be called more than once.
func (s *Process) End() {
	select {
	case <-s.exited: // its number may be somebody else's by now
		return
	default:
	}
	_ = syscall.Kill(-s.PID, syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(endPatience):
		_ = syscall.Kill(-s.PID, syscall.SIGKILL)
		<-s.exited
	}
}

// Kill ends the process as a crash does, and returns when it is gone.
func (s *Process) Kill() {
	select {
	case <-s.exited:
		return
	default:
	}
	_ = syscall.Kill(-s.PID, syscall.SIGKILL)
	<-s.exited
}

// Gone reports whether the process has ended.
func (s *Process) Gone() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

const tailSize = 4 << 10

func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-tailSize):])
}
