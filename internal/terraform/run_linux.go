// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func sessionID() (int, error) {
	session, err := unix.Getsid(0)
	if err != nil {
		return 0, fmt.Errorf("find the session: %w", err)
	}
	return session, nil
}

// signalRun sends every process of a run a signal, 0 for none, and counts them.
func signalRun(r run, signal syscall.Signal) (left int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !belongs(r, pid) {
			continue
		}
		// The handle holds the process, not its number: look once more behind it.
		p, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		if belongs(r, pid) {
			left++
			if signal != 0 {
				_ = p.Signal(signal)
			}
		}
		_ = p.Release()
	}
	return left, nil
}

// belongs reports whether a process was started by a run and is still in its
// session. What ended and only waits to be collected has no environment.
func belongs(r run, pid int) bool {
	if session, err := unix.Getsid(pid); err != nil || session != r.Session {
		return false
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	return bytes.Contains(append([]byte{0}, environ...), []byte("\x00"+runVariable+"="+r.Mark+"\x00"))
}

// runsHere reports whether a terraform or tofu on this machine works on the
// state of the given module folder: in that folder itself, or in another one
// that was set up for the same backend.
func runsHere(sameState func(folder string) bool) (bool, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		comm, err := os.ReadFile("/proc/" + e.Name() + "/comm")
		if err != nil || !bytes.HasPrefix(comm, []byte("terraform")) && !bytes.HasPrefix(comm, []byte("tofu")) {
			continue
		}
		folder, err := os.Readlink("/proc/" + e.Name() + "/cwd")
		if err == nil && sameState(folder) {
			return true, nil
		}
	}
	return false, nil
}
