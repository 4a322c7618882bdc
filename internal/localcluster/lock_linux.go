// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"golang.org/x/sys/unix"
)

// A lock is an exclusive flock on a folder or a file: it ends with the last
// process that has it open, in whatever way that one ends, and leaves nothing
// behind. Who only looks takes a shared one for a moment: that never looks like
// a lock to others who look, and whoever wants the lock tells the two apart.

// tryLock answers (nil, nil) when somebody else holds the lock of dir.
func tryLock(ctx context.Context, dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return hold(ctx, f)
}

// lockFile opens a file for appending and locks it; (nil, nil) when somebody
// else holds the lock. Whoever inherits the file holds the lock, too.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return hold(ctx, f)
}

// lookPatience is how long one who looks may take to be done; it is far less,
// unless the machine does not let that process run.
const lookPatience = 2 * time.Second

// hold takes the lock of f, or closes f.
func hold(ctx context.Context, f *os.File) (held *os.File, err error) {
	defer func() {
		if held == nil {
			_ = f.Close()
		}
	}()
	for since := time.Now(); ; {
		free, err := flock(f, unix.LOCK_EX)
		if err != nil {
			return nil, err
		}
		if free {
			return f, nil
		}
		// Not free: held for long, or somebody looks just now.
		if looked, err := flock(f, unix.LOCK_SH); err != nil || !looked || time.Since(since) > lookPatience {
			return nil, err
		}
		// Our own look must not be in the way of another one who wants the lock.
		if _, err := flock(f, unix.LOCK_UN); err != nil {
			return nil, err
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// flock waits for nobody; it is not ok when another one's lock is in the way.
func flock(f *os.File, how int) (ok bool, err error) {
	err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return true, nil
}

// lockPatience is how long a run waits for another one of this machine to let
// go of what both want to write.
const lockPatience = 2 * time.Minute

// lock waits for the lock.
func lock(ctx context.Context, dir string) (held *os.File, err error) {
	err = converge.Until(ctx, "the lock of "+dir, lockPatience, func(context.Context) (bool, string, error) {
		held, err = tryLock(ctx, dir)
		return held != nil, "another run holds it", converge.Permanent(err)
	})
	return held, err
}

// locked reports whether somebody holds the lock of a folder or a file; nobody
// holds one that does not exist.
func locked(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	free, err := flock(f, unix.LOCK_SH)
	return err == nil && !free, err
}
