// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import "syscall"

// freeBind changes nothing: the address has to exist.
func freeBind(string, string, syscall.RawConn) error { return nil }
