// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

func self() (process, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return process{}, fmt.Errorf("identify this process: %w", err)
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return process{}, fmt.Errorf("identify this process: %w", err)
	}
	started, err := startOf(os.Getpid())
	if err != nil {
		return process{}, fmt.Errorf("identify this process: %w", err)
	}
	return process{Boot: strings.TrimSpace(string(boot)), Namespace: namespace, PID: os.Getpid(), Started: started}, nil
}

// startOf is when a process started, in clock ticks since boot, and "" when
// there is none or it has ended and only waits to be collected.
func startOf(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		// /proc may hide other users' processes; signal 0 still finds them.
		if !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return "", fmt.Errorf("process %d is hidden", pid)
		}
		return "", nil
	}
	if err != nil {
		return "", err
	}
	// The name in parentheses may hold spaces and parentheses; behind it come
	// the state, which is field 3, and the start, which is field 22.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return "", fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields)+2)
	}
	if state := string(fields[0]); state == "Z" || state == "X" {
		return "", nil
	}
	return string(fields[19]), nil
}
