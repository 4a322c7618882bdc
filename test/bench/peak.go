// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// peak is the most memory in kB that a process held since it began its program.
// What getrusage gives would count what its parent held before the exec.
func peak(pid string) (kB int, err error) {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, err := fmt.Sscan(value, &kB)
			return kB, err
		}
	}
	return 0, errors.New("the process has ended")
}
