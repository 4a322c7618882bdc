// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// nodeInit is the first process of a node, already in its own namespaces. It
// takes the lock of the node's folder, builds the node's file system and
// network, and then supervises containerd and the kubelet until it is told to
// end. It touches the machine only through its cgroups.
func nodeInit(ctx context.Context, args []string) error {
	if len(args) != 1 || os.Getpid() != 1 {
		return errors.New("node-init is only started by boot")
	}
	var s nodeSpec
	if err := readJSON(args[0], &s); err != nil {
		return err
	}
	l, dir := s.layout(), s.layout().node(s.Index)
	held, err := tryLock(ctx, string(dir))
	if err != nil {
		return err
	}
	if held == nil {
		return fmt.Errorf("node %s runs already", s.name())
	}
	defer held.Close() // for this process's whole life
	// /proc is still that of the machine, so it shows our number there.
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(self)
	if err != nil {
		return err
	}
	if err := writeJSON(dir.process(), process{PID: pid}, 0o600); err != nil {
		return err
	}
	// The other end says when our link is there; its early end is that of boot.
	if _, err := io.ReadFull(os.NewFile(3, "boot"), make([]byte, 1)); err != nil {
		return fmt.Errorf("boot ended before the node was linked: %w", err)
	}
	_ = unix.Close(3)
	logs, err := openLogs(l, s.name(), "containerd", "kubelet")
	if err != nil {
		return err
	}
	if err := enterCgroup(ctx, l, s.Index); err != nil {
		return err
	}
	if err := raiseOpenFiles(); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	if err := unix.Sethostname([]byte(s.name())); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := makeRoot(s); err != nil {
		return fmt.Errorf("build the file system: %w", err)
	}
	if err := connect(ctx, s); err != nil {
		return fmt.Errorf("build the network: %w", err)
	}
	debug.FreeOSMemory()
	// A second signal must not end us either: what we supervise would die with us.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM)
	defer stop()
	return supervise(ctx, nodeDaemons(s, logs))
}

// raiseOpenFiles lets the daemons open as many files as this process might: a
// login's own limit is too low for containerd.
func raiseOpenFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// openLogs starts the logs of the daemons anew; the last ones are kept beside.
func openLogs(l layout, node string, daemons ...string) (map[string]*os.File, error) {
	logs := make(map[string]*os.File, len(daemons))
	for _, d := range daemons {
		path := filepath.Join(l.logs(), node+"-"+d+".log")
		if exists(path) {
			if err := os.Rename(path, path+".1"); err != nil {
				return nil, err
			}
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		logs[d] = f
	}
	return logs, nil
}

// enterCgroup makes the node's group anew, and one below it for the node's own
// processes: on the unified hierarchy a group with groups below has none itself.
func enterCgroup(ctx context.Context, l layout, index int) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	group := l.nodeCgroup(index)
	if err := removeCgroup(ctx, all, group); err != nil { // of a node that has died
		return err
	}
	system := group + "/system"
	if err := makeCgroup(all, system); err != nil {
		return err
	}
	for _, h := range all {
		if h.unified {
			enableControllers(filepath.Join(h.dir, group))
		}
	}
	return joinCgroup(all, system)
}
