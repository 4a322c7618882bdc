// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"golang.org/x/sys/unix"
)

// nodeSpec is all that the first process of a node needs to know. It lies in
// the node's folder and holds no secret.
type nodeSpec struct {
	Environment string `json:"environment"`
	Root        string `json:"stateRoot"`
	Index       int    `json:"index"`
	Subnet      string `json:"subnet"`
}

func (s nodeSpec) layout() layout { return layout{root: s.Root, environment: s.Environment} }
func (s nodeSpec) name() string   { return NodeName(s.Environment, s.Index) }

// process is the first process of a node as this machine numbers it. It is only
// true while somebody holds the lock of the node's folder.
type process struct {
	PID int `json:"pid"`
}

// livingNode gives the process id of a node; 0 when the node is dead.
func livingNode(d nodeDir) (int, error) {
	alive, err := locked(string(d))
	if err != nil || !alive {
		return 0, err
	}
	var p process
	return p.PID, readJSON(d.process(), &p)
}

// startNode starts the first process of a node and links it to the bridge. The
// process lives in its own session with closed input and its output in a file:
// neither the end of this program nor a signal to its group reaches it.
func startNode(ctx context.Context, c Config, n network, index, mtu int) (pid int, err error) {
	l, name := c.layout(), NodeName(c.Environment, index)
	if err := os.MkdirAll(l.logs(), 0o700); err != nil {
		return 0, err
	}
	log, err := os.OpenFile(filepath.Join(l.logs(), name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	waits, goes, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer goes.Close()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), l.binary(), Command, "node-init", l.node(index).spec())
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = "/", log, log, []*os.File{waits}
	cmd.Env = []string{"PATH=" + nodePath, "HOME=/root", "KUBECONFIG=/etc/kubernetes/admin.conf", "GOGC=20"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
	}
	err = cmd.Start()
	_ = waits.Close()
	if err != nil {
		return 0, fmt.Errorf("start node %s: %w", name, err)
	}
	go func() { _ = cmd.Wait() }() // so that a node that dies early does not stay as a zombie
	if err := linkNode(ctx, n, l, index, cmd.Process.Pid, mtu); err != nil {
		_ = cmd.Process.Kill()
		return 0, err
	}
	if _, err := goes.Write([]byte{1}); err != nil { // the node has its link now
		return 0, fmt.Errorf("node %s ended at once: %w", name, err)
	}
	return cmd.Process.Pid, nil
}

// linkNode gives the node one end of a pair of links; the other is on the bridge.
func linkNode(ctx context.Context, n network, l layout, index, pid, mtu int) error {
	link := n.link(index)
	_ = run(ctx, "", "ip", "link", "delete", link) // of a node that has died
	batch := fmt.Sprintf(`link add %[1]s mtu %[2]d type veth peer name eth0 mtu %[2]d netns %[3]d
link set %[1]s master %[4]s alias %[5]s up
`, link, mtu, pid, n.bridge(), l.alias())
	if err := run(ctx, batch, "ip", "-batch", "-"); err != nil {
		return fmt.Errorf("link node %d to %s: %w", index, n.bridge(), err)
	}
	return nil
}

// killNode ends a node with everything in it, at once: the kernel ends all
// processes of a process namespace together with the first one.
func killNode(ctx context.Context, d nodeDir) error {
	pid, err := livingNode(d)
	if err != nil || pid == 0 {
		return err
	}
	// The handle names one process for ever; the lock that is still held after
	// it was opened proves that it is the right one.
	handle, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(handle)
	if again, err := livingNode(d); err != nil || again != pid {
		return err
	}
	if err := unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	// The lock is let go early in the end of the first process; its handle tells
	// when all the others are dead, too.
	return converge.Until(ctx, "the end of "+filepath.Base(string(d)), 30*time.Second, func(context.Context) (bool, string, error) {
		events := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
		if _, err := unix.Poll(events, 0); err != nil {
			return false, "", err
		}
		return events[0].Revents != 0, "its processes are ending", nil
	})
}

// inNode runs a program inside a living node.
func inNode(ctx context.Context, pid int, args ...string) *exec.Cmd {
	enter := []string{"--target", strconv.Itoa(pid), "--mount", "--uts", "--ipc", "--net", "--pid", "--"}
	cmd := command(ctx, "nsenter", append(enter, args...)...)
	cmd.Env = []string{"PATH=" + nodePath, "HOME=/root", "KUBECONFIG=/etc/kubernetes/admin.conf", "TERM=" + os.Getenv("TERM")}
	return cmd
}

// nodePath is PATH in a node: the servers first, then the machine's programs.
const nodePath = nodeBin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// nodeBin is where a node sees the environment's folder bin.
const nodeBin = "/opt/clusterup/bin"

// inRoot is a path of a node as this machine sees it while the node lives.
func inRoot(pid int, path string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), "root", strings.TrimPrefix(path, "/"))
}
