// SPDX-License-Identifier: Apache-2.0

// Package converge is the engine: steps that plan and apply, and a runner that
// carries a list of them out by need and in parallel. It knows nothing of
// Kubernetes, Terraform, Consul or Vault.
package converge

import (
	"context"
	"errors"
)

// A Step is one idempotent piece of the desired environment. All methods are
// required and repeatable, and every one ends when ctx does.
type Step interface {
	// Name is "vault/init": in output, errors, the journal and --only.
	Name() string
	// Plan only reads. An empty plan means that there is nothing to do. What
	// cannot be known before an earlier step has run is a plan with After set,
	// or an error that wraps ErrNotYet.
	Plan(ctx context.Context) (Plan, error)
	// Apply carries out p, which this step's Plan made, and refuses with
	// ErrStale one whose basis has changed. After it, Plan is empty.
	Apply(ctx context.Context, p Plan) error
	// Destroy removes what the step made. Absent is success.
	Destroy(ctx context.Context) error
}

// Plan is what a step would do. It is a value: what is shown is what is
// carried out.
type Plan struct {
	Changes []Change
	// After names the step that has to run before the rest of this plan can be
	// known ("terraform"); empty when the plan is definite.
	After string
	// Notices are what the reader should know and this step does not change: two
	// Ingresses that claim one path. They are shown with a plan and make none.
	Notices []string
	// Basis is what the step saw when it planned. Only the step reads it.
	Basis any
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Changes) == 0 && p.After == "" }

// Action is what happens to the subject of a change.
type Action string

// The actions, in the words that the output uses.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
	Run     Action = "run"  // an operation with no object of its own: init, unseal
	Wait    Action = "wait" // not ready yet; nothing is written
)

// Change is one line of a plan. It never holds a secret: values of Secrets are
// masked by the step that made it.
type Change struct {
	Subject string  `json:"subject"` // "Deployment demo/web", "policy readonly"
	Action  Action  `json:"action"`
	Note    string  `json:"note,omitempty"` // a clause: why, or what is not yet true
	Fields  []Field `json:"fields,omitempty"`
}

// Field is one difference inside an object.
type Field struct {
	Path    string `json:"path"`              // "spec.replicas"
	Old     string `json:"old"`               // what is there; "" when absent
	New     string `json:"new"`               // what will be there; "" when removed
	Manager string `json:"manager,omitempty"` // who wrote what is there, if known
}

// ErrNotYet says that something does not exist yet and an earlier step makes it.
var ErrNotYet = errors.New("not there yet")

// ErrStale says that what a plan was based on has changed since.
var ErrStale = errors.New("the plan is out of date")

// Item is a step and the names of the steps that have to be done before it.
type Item struct {
	Step  Step
	After []string
}
