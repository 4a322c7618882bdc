// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// ensureServer starts the server where none runs. One that was started in
// another way, by an older version or before the environment had its subnet, is
// ended first.
func ensureServer(ctx context.Context, c Config, s storeSettings, pods PodsAccess) error {
	f := c.layout().files()
	args := serverArgs(f, s, pods)
	var started []string
	if err := readJSON(f.started(), &started); err != nil {
		return err
	}
	if pods.Endpoint != "" && !slices.Equal(started, args) {
		if err := StopStore(ctx, c); err != nil {
			return err
		}
	}
	log, err := lockFile(ctx, f.log())
	if err != nil {
		return err
	}
	var ended <-chan error
	if log != nil {
		defer log.Close()
		if !portFree(ctx, s) {
			err := fmt.Errorf("port %d of environment %s's S3 server is taken by %s", s.Port, c.Environment, listenerName(s.Port))
			return hint.With(err, "end that program; the environment keeps its port because Terraform's state names it")
		}
		if ended, err = startServer(ctx, c, args, log); err != nil {
			return err
		}
	}
	return converge.Until(ctx, "the S3 server", storePatience, func(context.Context) (bool, string, error) {
		select {
		case err := <-ended:
			text, _ := os.ReadFile(f.log())
			err = fmt.Errorf("the S3 server ended at once: %w%s", err, tail(string(text), 2))
			return false, "", converge.Permanent(hint.With(err, "its log is %s", f.log()))
		default:
		}
		pid, err := readPID(f.pid())
		if err != nil {
			return false, "it has not started yet", err
		}
		return owns(pid, s.Port), fmt.Sprintf("process %d does not listen on port %d yet", pid, s.Port), nil
	})
}

func serverArgs(f storeFiles, s storeSettings, pods PodsAccess) []string {
	args := []string{
		"--address", s.address(), "--data", f.data(), "--versions", f.versions(),
		"--region", storeRegion, "--bucket", storeBucket, "--credentials", f.credentials(), "--pid-file", f.pid(),
	}
	if address, ok := strings.CutPrefix(pods.Endpoint, "https://"); ok {
		args = append(args, "--pods-address", address, "--pods-cert", f.podsCert(), "--pods-key", f.podsKey())
	}
	return args
}

// startServer starts the server in its own session, its output in the log whose
// lock it inherits. The channel tells when it ends while this program lives.
func startServer(ctx context.Context, c Config, args []string, log *os.File) (<-chan error, error) {
	f := c.layout().files()
	if err := os.Remove(f.pid()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	program := filepath.Join(c.Servers, "bin", "s3")
	if !exists(program) {
		return nil, noServers(fmt.Errorf("the server s3 is not in %s", filepath.Join(c.Servers, "bin")))
	}
	if err := writeJSON(f.started(), args, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.Env = []string{"PATH=" + nodePath, "HOME=/root"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the S3 server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return ended, nil
}
