// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// serverRuns: the server inherits its log together with the lock of it.
func serverRuns(f storeFiles) (bool, error) { return locked(f.log()) }

func readPID(path string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s holds no process id", path)
	}
	return pid, nil
}

// listeners gives the sockets, by their inode, that listen on an IPv4 port.
func listeners(port int) ([]string, error) {
	data, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return nil, err
	}
	return parseListeners(string(data), port), nil
}

// parseListeners reads lines such as "0: 0100007F:1F90 00000000:0000 0A
// 00000000:00000000 00:00000000 00000000 0 0 12345 ..."; 0A is listening.
func parseListeners(table string, port int) []string {
	var inodes []string
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			inodes = append(inodes, f[9])
		}
	}
	return inodes
}

// owns reports whether the process listens on the port.
func owns(pid, port int) bool {
	inodes, err := listeners(port)
	if err != nil || len(inodes) == 0 {
		return false
	}
	fds := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(fds)
	if err != nil {
		return false
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(fds, e.Name()))
		for _, inode := range inodes {
			if err == nil && target == "socket:["+inode+"]" {
				return true
			}
		}
	}
	return false
}

// listenerName names the process that listens on a port, as well as it can be
// found out.
func listenerName(port int) string {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return "another program"
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !owns(pid, port) {
			continue
		}
		name, err := os.ReadFile(filepath.Join("/proc", e.Name(), "comm"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return fmt.Sprintf("process %d (%s)", pid, strings.TrimSpace(string(name)))
	}
	return "another program"
}
