// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

// event is one line of Terraform's machine-readable output, as far as it is
// used here.
type event struct {
	Type       string      `json:"type"`
	Message    string      `json:"@message"`
	Diagnostic *Diagnostic `json:"diagnostic"`
	Change     *struct {
		Resource resource `json:"resource"`
		Action   string   `json:"action"`
		Reason   string   `json:"reason"`
	} `json:"change"`
	Hook *struct {
		Resource resource `json:"resource"`
		Action   string   `json:"action"`
		Output   string   `json:"output"`
		Elapsed  float64  `json:"elapsed_seconds"`
	} `json:"hook"`
	Outputs map[string]struct {
		Action string `json:"action"`
	} `json:"outputs"`
}

type resource struct {
	Addr string `json:"addr"`
}

// parseEvent reads one line. Terraform also writes lines that are no events, as
// when it waits for a lock; those are not ok.
func parseEvent(line []byte) (e event, ok bool) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &e) != nil || e.Type == "" {
		return event{}, false
	}
	return e, true
}

// doing is an event as one clause for the reader, or "" when it says nothing.
// What a provisioner prints is shown, but never the command that it runs.
func (e event) doing() string {
	if e.Hook == nil {
		return ""
	}
	addr := oneLine(e.Hook.Resource.Addr)
	switch e.Type {
	case "apply_start":
		if verb, ok := verbs[e.Hook.Action]; ok {
			return addr + ": " + verb
		}
	case "apply_progress":
		return fmt.Sprintf("%s: %s, %s so far", addr, verbs[e.Hook.Action], time.Duration(e.Hook.Elapsed)*time.Second)
	case "provision_progress":
		if line := oneLine(e.Hook.Output); line != "" && !isCommand(line) {
			return addr + ": " + line
		}
	case "apply_errored", "provision_errored":
		return addr + ": failed"
	}
	return ""
}

var verbs = map[string]string{"create": "creating", "update": "changing", "delete": "deleting", "replace": "replacing"}

// isCommand recognizes the line in which a provisioner shows what it runs.
func isCommand(line string) bool { return strings.HasPrefix(line, "Executing: [") }

// change is what a planned_change event means for a plan; not ok for what
// changes nothing.
func (e event) change() (c converge.Change, ok bool) {
	if e.Type != "planned_change" || e.Change == nil {
		return c, false
	}
	action, ok := actions[e.Change.Action]
	if !ok {
		return c, false
	}
	reason := strings.ReplaceAll(e.Change.Reason, "_", " ")
	return converge.Change{Subject: e.Change.Resource.Addr, Action: action, Note: reason}, true
}

var actions = map[string]converge.Action{
	"create": converge.Create, "update": converge.Update, "delete": converge.Delete, "replace": converge.Replace,
	"move": converge.Update, "import": converge.Update, "remove": converge.Update, "forget": converge.Update,
}

// oneLine is text without line breaks and control characters, so that nothing
// that a program prints can disturb the terminal or a log.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
