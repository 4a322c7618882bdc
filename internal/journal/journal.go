// SPDX-License-Identifier: Apache-2.0

// Package journal keeps who changed an environment, when and how it ended: what
// releases do not say, so that equal ones have equal digests. A run writes a few
// small records, each once; none of them is ever needed to go on.
package journal

import (
	"context"
	"time"

	"clusterup.dev/clusterup/internal/store"
)

const prefix = "runs/"

// Bucket is where the journal is kept, with the meaning that store.Bucket gives
// to these methods.
type Bucket interface {
	Get(ctx context.Context, key string) ([]byte, store.Version, error)
	PutNew(ctx context.Context, key string, data []byte) (store.Version, error)
	List(ctx context.Context, prefix string) ([]store.Entry, error)
}

// Start is what is known when a run begins to change something.
type Start struct {
	Operation string         `json:"operation"` // "create"
	Who       string         `json:"who"`       // "ann@laptop"
	Version   string         `json:"version"`   // of clusterup
	At        time.Time      `json:"at"`
	Fence     int64          `json:"fence"`             // of the run lock
	Release   string         `json:"release,omitempty"` // empty while tokens are still to be made
	Plan      map[string]int `json:"plan,omitempty"`    // "create": 3, as it was shown
}

// Attempt says that the run began to apply a release.
type Attempt struct {
	At      time.Time `json:"at"`
	Release string    `json:"release"`
}

// How a run ended.
const (
	Done    = "done"
	Failed  = "failed"
	Stopped = "stopped" // by a signal, its deadline, or the loss of the lock
)

// End is how a run ended.
type End struct {
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome"`
	Seconds float64   `json:"seconds"`
	Error   string    `json:"error,omitempty"` // one line
	Steps   []Step    `json:"steps,omitempty"` // those that did something, failed or were held back
}

// Step is what became of one step.
type Step struct {
	Step    string  `json:"step"`
	Outcome string  `json:"outcome"`
	Changes int     `json:"changes,omitempty"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"` // one line
}

// Run is one run as the journal tells it.
type Run struct {
	ID      string   `json:"id"`
	Start   Start    `json:"start"`
	Attempt *Attempt `json:"attempt,omitempty"`
	End     *End     `json:"end,omitempty"` // nil: it died, or it still runs
}

// Release is the one that the run was about; empty when it never came to one.
func (r Run) Release() string {
	if r.Attempt != nil {
		return r.Attempt.Release
	}
	return r.Start.Release
}
