// SPDX-License-Identifier: Apache-2.0

package testservers

import "syscall"

// ownGroup also ends the server when the test binary dies without cleaning up,
// as it does at a test's timeout.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
