// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/secret"
	"golang.org/x/sys/unix"
)

// storePatience is how long the S3 server may take to start or to stop.
const storePatience = 15 * time.Second

// StoreExists reports whether an earlier run has made the environment's store.
func StoreExists(c Config) bool {
	f := c.withDefaults().layout().files()
	return exists(f.settings()) && exists(f.data())
}

// EnsureStore makes the environment's S3 server run, on a port of 127.0.0.1 and
// with a key that were picked once, and gives access to it. The server outlives
// this program; one that has died is started again on the same data. That what
// listens is this server, and not another program on its port, is proved by the
// kernel's table of sockets.
func EnsureStore(ctx context.Context, c Config) (StoreAccess, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return StoreAccess{}, err
	}
	f := c.layout().files()
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return StoreAccess{}, fmt.Errorf("make the folder of the S3 store: %w", err)
	}
	held, err := lock(ctx, string(f))
	if err != nil {
		return StoreAccess{}, err
	}
	defer held.Close()
	keys, err := ensureKeys(f, c.Environment)
	if err != nil {
		return StoreAccess{}, fmt.Errorf("keys of the S3 store: %w", err)
	}
	settings, err := ensureSettings(ctx, c)
	if err != nil {
		return StoreAccess{}, fmt.Errorf("port of the S3 store: %w", err)
	}
	pods, err := ensurePods(c, settings, keys)
	if err != nil {
		return StoreAccess{}, fmt.Errorf("the way of pods to the S3 store: %w", err)
	}
	if err := ensureServer(ctx, c, settings, pods); err != nil {
		return StoreAccess{}, err
	}
	return StoreAccess{
		Endpoint: "http://" + settings.address(), Region: storeRegion, Bucket: storeBucket,
		AccessKey: keys.AccessKey, SecretKey: secret.NewString(keys.SecretKey), Pods: pods,
	}, nil
}

func ensureKeys(f storeFiles, environment string) (keys storeKeys, err error) {
	if err := readJSON(f.credentials(), &keys); err != nil || keys.SecretKey != "" && keys.Limited != nil {
		return keys, err
	}
	if keys.SecretKey == "" {
		keys.AccessKey, keys.SecretKey = "clusterup-"+randomHex(4), randomHex(20)
	}
	keys.Limited = &storeUser{AccessKey: "pods-" + randomHex(4), SecretKey: randomHex(20), Prefix: BackupsPrefix(environment)}
	return keys, writeJSON(f.credentials(), keys, 0o600)
}

func ensureSettings(ctx context.Context, c Config) (s storeSettings, err error) {
	f := c.layout().files()
	if err := readJSON(f.settings(), &s); err != nil || s.Port != 0 {
		return s, err
	}
	held, err := lock(ctx, c.StateRoot)
	if err != nil {
		return s, err
	}
	defer held.Close()
	if s.Port, err = pickPort(ctx, c); err != nil {
		return s, err
	}
	return s, writeJSON(f.settings(), s, 0o600)
}

// pickPort picks a port below those that the kernel gives to outgoing
// connections, so that it is still free when a dead server is started again.
func pickPort(ctx context.Context, c Config) (int, error) {
	const first, last = 20000, 32000
	others, err := otherEnvironments(c)
	if err != nil {
		return 0, err
	}
	taken := make(map[int]bool, len(others))
	for _, other := range others {
		var s storeSettings
		if err := readJSON(other.layout().files().settings(), &s); err != nil {
			return 0, err
		}
		taken[s.Port] = true
	}
	for range 100 {
		s := storeSettings{Port: first + rand.IntN(last-first)}
		if !taken[s.Port] && portFree(ctx, s) {
			return s.Port, nil
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d", first, last)
}

func portFree(ctx context.Context, s storeSettings) bool {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", s.address())
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// StopStore ends the environment's S3 server; its data stays.
func StopStore(ctx context.Context, c Config) error {
	f := c.withDefaults().layout().files()
	for _, signal := range []syscall.Signal{unix.SIGTERM, unix.SIGKILL} {
		running, err := serverRuns(f)
		if err != nil || !running {
			return err
		}
		pid, err := readPID(f.pid())
		if err != nil {
			return fmt.Errorf("stop the S3 server: %w", err)
		}
		if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("stop the S3 server: %w", err)
		}
		err = converge.Until(ctx, "the end of the S3 server", storePatience, func(context.Context) (bool, string, error) {
			running, err := serverRuns(f)
			return !running, "", err
		})
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
	return fmt.Errorf("the S3 server of environment %s does not end", c.Environment)
}

// PurgeStore ends the S3 server and deletes everything that it keeps.
func PurgeStore(ctx context.Context, c Config) error {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return err
	}
	if err := StopStore(ctx, c); err != nil {
		return err
	}
	l := c.layout()
	if err := os.RemoveAll(l.store()); err != nil {
		return fmt.Errorf("delete the S3 store: %w", err)
	}
	_ = os.Remove(l.dir()) // stays while there are nodes
	_ = os.Remove(l.root)  // stays while another environment is in it
	return nil
}
