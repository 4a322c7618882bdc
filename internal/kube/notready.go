// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"
	"strings"
	"time"
)

// NotReadyError says what was not ready when a wait ended.
type NotReadyError struct {
	Pending  []Pending
	After    time.Duration
	TimedOut bool // else it ended early, because of what is Fatal in Pending
}

func (e *NotReadyError) Error() string {
	parts := make([]string, 0, len(e.Pending))
	for _, p := range e.Pending {
		if !e.TimedOut && !p.Fatal {
			continue
		}
		part := p.Subject + ": " + p.Reason
		if len(p.Logs) > 0 {
			part += "; its last lines: " + strings.Join(p.Logs, " | ")
		}
		parts = append(parts, part)
	}
	text := strings.Join(parts, "; ")
	if e.TimedOut {
		return fmt.Sprintf("not ready after %s: %s", e.After.Round(time.Second), text)
	}
	return text
}
