// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"context"
	"errors"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"

	"clusterup.dev/clusterup/internal/hint"
)

// Diagnostic is one thing that Terraform says is wrong.
type Diagnostic struct {
	Severity string `json:"severity"` // "error" or "warning"
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address"` // of the resource, when it is about one
	Range    *struct {
		Filename string `json:"filename"`
		Start    struct {
			Line int `json:"line"`
		} `json:"start"`
	} `json:"range"`
}

// Error is a failed run. Its text is the first error in one line.
type Error struct {
	Operation   string       // "apply"
	Diagnostics []Diagnostic // all of them, as Terraform wrote them
	text        string
	err         error
}

func (e *Error) Error() string { return "terraform " + e.Operation + ": " + e.text }
func (e *Error) Unwrap() error { return e.err }

// ErrLocked says that Terraform's own lock on the state is held.
var ErrLocked = errors.New("the Terraform state is locked")

// failure turns what an operation returned into an *Error with the cause that
// its events gave, or nil. An interrupt is told by the context's cause.
func (s *events) failure(ctx context.Context, operation string, err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &Error{Operation: operation, Diagnostics: s.diagnostics, err: err}
	if ctx.Err() != nil {
		e.err = context.Cause(ctx)
		e.text = e.err.Error()
		return e
	}
	for _, d := range s.diagnostics {
		if d.Severity == "error" {
			return s.explain(e, d)
		}
	}
	e.text = plain(err.Error())
	var old *tfexec.ErrVersionMismatch // of one that does not even know how to be asked
	if errors.As(err, &old) {
		return hint.With(e, tooOldHint)
	}
	return e
}

const undeclared = "Value for undeclared variable"

// misnamed makes an error of variables that the module does not have, which
// Terraform only warns of.
func (s *events) misnamed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, d := range s.diagnostics {
		if d.Summary == undeclared {
			s.diagnostics[i].Severity = "error"
			return errors.New(d.Summary)
		}
	}
	return nil
}

// plain is what is left when no event says why: stderr, which tfexec appends,
// without the frame that Terraform draws around it.
func plain(s string) string {
	s = oneLine(strings.NewReplacer("╷", "", "│", "", "╵", "").Replace(s))
	if _, said, found := strings.Cut(s, "Error: "); found {
		return said
	}
	return s
}
