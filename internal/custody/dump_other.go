// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package custody

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NoDumps keeps this process, and what it starts, out of core dumps, because key
// shares pass through its memory.
func NoDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switching core dumps off: %w", err)
	}
	return nil
}
