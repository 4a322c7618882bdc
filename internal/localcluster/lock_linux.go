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

// A lock is an flock on a folder: it ends with the process that holds it, in
// whatever way that one ends, and leaves no file behind.

// tryLock answers (nil, nil) when somebody else holds the lock.
func tryLock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", dir, err)
}

// lockPatience is how long a run waits for another one of this machine to let
// go of what both want to write.
const lockPatience = 2 * time.Minute

// lock waits for the lock.
func lock(ctx context.Context, dir string) (held *os.File, err error) {
	err = converge.Until(ctx, "the lock of "+dir, lockPatience, func(context.Context) (bool, string, error) {
		held, err = tryLock(dir)
		return held != nil, "another run holds it", converge.Permanent(err)
	})
	return held, err
}

// locked reports whether somebody holds the lock of dir; nobody holds one that
// does not exist.
func locked(dir string) (bool, error) {
	f, err := tryLock(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case f == nil:
		return true, nil
	}
	return false, f.Close()
}
