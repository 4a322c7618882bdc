// SPDX-License-Identifier: Apache-2.0

package converge

import "time"

// Outcome is what an event says of a step, and what became of it in the end.
type Outcome string

// Started and Working happen on the way; the others end a step.
const (
	Started   Outcome = "started"
	Working   Outcome = "working"   // Message says what is being done or waited for
	Done      Outcome = "done"      // its changes are carried out
	Unchanged Outcome = "unchanged" // there was nothing to do
	Failed    Outcome = "failed"    // Message is the error
	Blocked   Outcome = "blocked"   // a step that it needs did not get done
)

// Event is one thing that happened to a step.
type Event struct {
	Step    string        `json:"step"`
	Kind    Outcome       `json:"kind"`
	Message string        `json:"message,omitempty"`
	Took    time.Duration `json:"tookNanos,omitempty"`
}

func (r Runner) emit(e Event) {
	if r.Observe != nil {
		r.Observe(e)
	}
}
