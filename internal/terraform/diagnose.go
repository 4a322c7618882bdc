// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"fmt"
	"regexp"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

var (
	// The detail of a failed provisioner holds its command line and output.
	provisioner = regexp.MustCompile(`(?s)^Error running command .*: ((?:exit status|signal:) [a-z0-9 ]+)\. Output: `)
	lockWho     = regexp.MustCompile(`(?m)^\s*Who:\s+(\S+)`)
	named       = regexp.MustCompile(`variable (?:named )?"([^"]+)"`)
	lockCreated = regexp.MustCompile(`(?m)^\s*Created:\s+(\S+ \S+)`)
)

func (s *events) explain(e *Error, d Diagnostic) error {
	switch {
	case strings.Contains(d.Summary, "local-exec provisioner error"):
		return s.explainProvisioner(e, d)
	case strings.HasPrefix(d.Summary, "Saved plan"): // "is stale", "does not match the given state"
		e.text, e.err = oneLine(d.Summary), converge.ErrStale
		return e
	case d.Summary == "Error acquiring the state lock":
		e.text, e.err = ErrLocked.Error(), ErrLocked
		if who := lockWho.FindStringSubmatch(d.Detail); who != nil {
			e.text += " by " + who[1]
		}
		if created := lockCreated.FindStringSubmatch(d.Detail); created != nil {
			e.text += " since " + strings.SplitN(created[1], ".", 2)[0] + " UTC"
		}
		return hint.With(e, "let that run end; one that was killed is cleaned up after by the next `clusterup create`")
	}
	e.text = oneLine(d.Summary)
	if strings.HasPrefix(d.Summary, "Unsupported Terraform Core version") || strings.HasPrefix(d.Summary, "Unsupported OpenTofu Core version") {
		e.text, _, _ = strings.Cut(oneLine(d.Detail), ". ")
		return hint.With(e, tooOldHint)
	}
	if text, ok := aboutVariable(d); ok {
		e.text = text
		return hint.With(e, "look at spec.cluster.terraform.variables and the module's variables")
	}
	if d.Address != "" {
		e.text = d.Address + ": " + e.text
	}
	if d.Range != nil {
		e.text = fmt.Sprintf("%s:%d: %s", d.Range.Filename, d.Range.Start.Line, e.text)
	}
	if detail := oneLine(d.Detail); detail != "" {
		e.text += ": " + detail
	}
	return e
}

// aboutVariable puts what is wrong with a variable in the words of its reader,
// who knows nothing of the file that holds the variables of one call.
func aboutVariable(d Diagnostic) (string, bool) {
	name := ""
	if m := named.FindStringSubmatch(d.Detail); m != nil {
		name = m[1]
	}
	switch d.Summary {
	case undeclared:
		return fmt.Sprintf("the module has no variable %q", name), true
	case "No value for required variable":
		return fmt.Sprintf("the module's variable %q is not set", name), true
	case "Invalid value for input variable", "Invalid value for variable":
		return oneLine(d.Summary + ": " + d.Detail), true
	}
	return "", false
}

// explainProvisioner says what the command said last, not what the command was.
// A provisioner that is a program of ours ends with its error and its hint.
func (s *events) explainProvisioner(e *Error, d Diagnostic) error {
	status := "failed"
	if m := provisioner.FindStringSubmatch(d.Detail); m != nil {
		status = m[1]
	}
	lines, help := s.output[d.Address], ""
	if n := len(lines); n > 0 {
		if text, ok := strings.CutPrefix(lines[n-1], "hint: "); ok {
			lines, help = lines[:n-1], text
		}
	}
	e.text = d.Address + ": " + status
	if n := len(lines); n > 0 {
		e.text = d.Address + ": " + strings.TrimPrefix(lines[n-1], "error: ")
	}
	return hint.With(e, "%s", help)
}
