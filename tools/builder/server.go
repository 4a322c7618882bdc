// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// built is a server with what it is built from.
type built struct {
	server
	artifact
	version string // of the dependency, "" for our own programs
}

// binary is where the cache keeps the server's one file.
func (b built) binary(c cache) string { return filepath.Join(c.path(b.artifact), b.programs[0]) }

// resolve reads a server's module and decides its hash. It runs no compiler.
func resolve(s server, tools string, t toolchain) (built, error) {
	dir := filepath.Join(tools, s.name)
	content, err := hashFolder(dir)
	if err != nil {
		return built{}, fmt.Errorf("read the module of %s: %w", s.name, err)
	}
	version, err := requiredVersion(filepath.Join(dir, "go.mod"), s.module)
	if err != nil {
		return built{}, err
	}
	flags := s.ldflags
	if version != "" {
		major, minor, _ := strings.Cut(strings.TrimPrefix(semver.MajorMinor(version), "v"), ".")
		number := strings.TrimPrefix(version, "v")
		flags = strings.NewReplacer("{version}", version, "{number}", number, "{major}", major, "{minor}", minor).Replace(flags)
	}
	pkg := s.pkg
	if pkg == "" {
		pkg = "."
	}
	parts := append([]string{content, t.version}, t.settings()...)
	parts = append(parts, t.args(flags, s.programs[0], pkg)...)
	compile := func(ctx context.Context, out string) error {
		return t.build(ctx, s.name, dir, t.args(flags, filepath.Join(out, s.programs[0]), pkg))
	}
	return built{s, artifact{s.name, digest(parts...), "building", compile}, version}, nil
}

func requiredVersion(path, module string) (string, error) {
	if module == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	mod, err := modfile.ParseLax(path, text, nil)
	if err != nil {
		return "", fmt.Errorf("parse go.mod: %w", err)
	}
	for _, r := range mod.Require {
		if r.Mod.Path == module {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", path, module)
}

// build runs the compiler in a process group of its own: an interrupt at the
// terminal reaches only us, and we end the compiler with all its children.
func (t toolchain) build(ctx context.Context, name, dir string, args []string) error {
	cmd := exec.CommandContext(ctx, t.program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), t.settings()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // whoever did not listen
		}
		return fmt.Errorf("build %s: %w", name, ctx.Err())
	}
	if log, logErr := keepLog(name, said.Bytes()); logErr == nil {
		return withHint(fmt.Errorf("build %s in %s: %w: %s", name, dir, err, lastLine(said.String())),
			"all that go said is in %s", log)
	}
	return fmt.Errorf("build %s in %s: %w: %s", name, dir, err, lastLine(said.String()))
}

func keepLog(name string, text []byte) (string, error) {
	f, err := os.CreateTemp("", "clusterup-build-"+name+"-*.log")
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = f.Write(text)
	return f.Name(), err
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
