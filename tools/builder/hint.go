// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
)

// hinted carries what the reader can do about an error beside what failed.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

func withHint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// hintOf returns the outermost hint, or "".
func hintOf(err error) string {
	if h, ok := errors.AsType[hinted](err); ok {
		return h.hint
	}
	return ""
}
