// SPDX-License-Identifier: Apache-2.0

package main

import "syscall"

// freeBind lets a socket listen on an address that this machine does not have
// yet: the bridge of the nodes is made after the store.
func freeBind(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_FREEBIND, 1)
	})
	if err != nil {
		return err
	}
	return set
}
