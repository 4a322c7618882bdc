// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// run runs a program of the machine to its end; its output is only seen in
// the error.
func run(ctx context.Context, stdin, name string, args ...string) error {
	_, err := output(ctx, stdin, name, args...)
	return err
}

func output(ctx context.Context, stdin, name string, args ...string) (string, error) {
	cmd := command(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &all
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w%s", filepath.Base(name), err, tail(all.String(), 3))
	}
	return out.String(), nil
}

// systemFolders hold what an administrator runs. A shell of root's may have a
// PATH without them, as that of Debian's su has.
func systemFolders() []string { return []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} }

// find looks for a program of the machine.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range systemFolders() {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", err
}

// command is a program of the machine that finds others as find does.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	path, err := find(name)
	if err != nil {
		path = name // to fail with it
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Args[0] = name
	folders := append([]string{os.Getenv("PATH")}, systemFolders()...)
	cmd.Env = append(os.Environ(), "PATH="+strings.TrimPrefix(strings.Join(folders, ":"), ":"))
	return cmd
}

// tail is the last lines of a program's output, as the end of an error.
func tail(out string, lines int) string {
	all := strings.Split(strings.TrimSpace(out), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	if text := strings.TrimSpace(strings.Join(all, " | ")); text != "" {
		return ": " + text
	}
	return ""
}
