// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// toolchain is the Go that builds, and what it is always told.
type toolchain struct {
	program string // path of go
	version string // "go1.26.8"
}

// findToolchain reads the version from the file beside the compiler: asking
// the program would cost more than all the rest of a run that builds nothing.
func findToolchain(ctx context.Context) (toolchain, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return toolchain{}, withHint(fmt.Errorf("find go: %w", err), "install the Go that go.mod names and put it on PATH")
	}
	if home, err := filepath.EvalSymlinks(path); err == nil {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(home), "..", "VERSION"))
		if version, _, _ := strings.Cut(string(text), "\n"); err == nil && strings.HasPrefix(version, "go1") {
			return toolchain{path, version}, nil
		}
	}
	out, err := exec.CommandContext(ctx, path, "env", "GOVERSION").Output()
	if err != nil {
		return toolchain{}, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	return toolchain{path, strings.TrimSpace(string(out))}, nil
}

// args are the arguments of one build. GOFLAGS is cleared beside them, so
// nothing that is not in the hash can change the result.
func (t toolchain) args(ldflags, output, pkg string) []string {
	return []string{
		"build", "-trimpath", "-mod=readonly", "-buildvcs=false",
		"-ldflags", strings.TrimSpace("-s -w " + ldflags), "-o", output, pkg,
	}
}

// settings are the variables of one build that decide what comes out.
func (t toolchain) settings() []string {
	s := []string{"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH}
	for _, name := range []string{"GOEXPERIMENT", "GOAMD64", "GOARM64"} {
		s = append(s, name+"="+os.Getenv(name))
	}
	return s
}
