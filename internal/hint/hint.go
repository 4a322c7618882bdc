// SPDX-License-Identifier: Apache-2.0

// Package hint gives an error a second channel: what failed stays in the
// error's one line, and what the reader can do about it is the hint. Only the
// command line prints hints; nothing else looks at them.
package hint

import (
	"errors"
	"fmt"
)

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// With attaches a hint to err. A nil err stays nil; an empty hint changes nothing.
func With(err error, format string, args ...any) error {
	if err == nil || format == "" {
		return err
	}
	return &hinted{err: err, hint: fmt.Sprintf(format, args...)}
}

// Of returns the outermost hint in err's chain, or "" when there is none.
func Of(err error) string {
	var h *hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}
