// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"clusterup.dev/clusterup/internal/converge"
)

const (
	longestLine = 1 << 20 // of one event; what is longer is dropped
	lastOutput  = 20      // lines kept of each provisioner
)

// events is what Terraform's output is written to: it reports progress while it
// comes and keeps what is wanted afterwards.
type events struct {
	progress func(string)

	mu          sync.Mutex
	line        []byte
	changes     []converge.Change
	diagnostics []Diagnostic
	output      map[string][]string // last lines of provisioners, by resource
}

func newEvents(ctx context.Context) *events {
	return &events{
		progress: func(s string) { converge.Progress(ctx, "%s", s) },
		output:   map[string][]string{},
	}
}

// Write takes any part of the stream.
func (s *events) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, found := bytes.Cut(rest, []byte{'\n'})
		if len(s.line)+len(line) <= longestLine {
			s.line = append(s.line, line...)
		}
		rest = after
		if found {
			s.take(s.line)
			s.line = s.line[:0]
		}
	}
	return len(p), nil
}

func (s *events) take(line []byte) {
	e, ok := parseEvent(line)
	if !ok {
		return
	}
	if e.Diagnostic != nil {
		s.diagnostics = append(s.diagnostics, *e.Diagnostic)
	}
	if c, ok := e.change(); ok {
		s.changes = append(s.changes, c)
	}
	for name, o := range e.Outputs {
		if o.Action != "" && o.Action != "noop" {
			s.changes = append(s.changes, converge.Change{Subject: "output " + name, Action: converge.Update})
		}
	}
	if e.Type == "provision_progress" && e.Hook != nil {
		if line := oneLine(e.Hook.Output); line != "" && !isCommand(line) {
			kept := append(s.output[e.Hook.Resource.Addr], line)
			s.output[e.Hook.Resource.Addr] = kept[max(0, len(kept)-lastOutput):]
		}
	}
	if doing := e.doing(); doing != "" {
		s.progress(doing)
	}
}

// planned are the changes in a fixed order.
func (s *events) planned() []converge.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortFunc(s.changes, func(a, b converge.Change) int {
		return bytes.Compare([]byte(a.Subject), []byte(b.Subject))
	})
	return s.changes
}
