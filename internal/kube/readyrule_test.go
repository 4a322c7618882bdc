// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"errors"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

// readyByRule proves that a field decides instead of the usual rules, that an object's
// own deadline ends the wait and is named, or lengthens it, and that any kind can have
// such a rule.
func readyByRule(t *testing.T, c *Cluster) {
	objs := parse(t, "byrule", kind("byrule.clusterup.dev", "{size: {type: integer}}", "{size: 3}"))
	mustApply(t, c, objs)
	one, two := RefOf(objs[0]), RefOf(objs[1])
	rule := func(own time.Duration) WaitOptions {
		return WaitOptions{Timeout: time.Second, Rule: func(r Ref) ReadyRule {
			if r.Kind == "Widget" {
				return ReadyRule{Field: "status.phase", Is: "Ready", Timeout: own}
			}
			return ReadyRule{}
		}}
	}
	writeStatus(t, c, one, `{"status":{"phase":"Ready","conditions":[{"type":"Ready","status":"False"}]}}`)
	pending, err := c.Pending(t.Context(), objs, rule(0))
	if err != nil || len(pending) != 1 || pending[0].Reason != "status.phase is not there, not Ready" {
		t.Errorf("pending %+v, %v", pending, err)
	}
	writeStatus(t, c, two, `{"status":{"phase":"Pending","conditions":[{"type":"Ready","status":"True"}]}}`)
	start, longer := time.Now(), rule(300*time.Millisecond)
	longer.Timeout = 20 * time.Second
	err = c.Wait(t.Context(), objs, longer)
	var late *NotReadyError
	if !errors.As(err, &late) || !late.TimedOut || !strings.HasSuffix(err.Error(), "Widget byrule/two: status.phase is Pending, not Ready (it has a deadline of its own, 300ms)") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	begun, all := time.Now(), rule(20*time.Second)
	waiting := converge.WithProgress(t.Context(), func(string) {
		if time.Since(begun) > all.Timeout { // it goes on all the same
			writeStatus(t, c, two, `{"status":{"phase":"Ready"}}`)
		}
	})
	if err := c.Wait(waiting, objs, all); err != nil {
		t.Errorf("a deadline of its own that is longer than the wait's: %v", err)
	}
	settings := parse(t, "byrule", small)[1:2]
	mustApply(t, c, settings)
	o := WaitOptions{Timeout: 300 * time.Millisecond, Rule: func(Ref) ReadyRule { return ReadyRule{Field: "data.level", Is: "debug"} }}
	if err := c.Wait(t.Context(), settings, o); err == nil || !strings.Contains(err.Error(), "ConfigMap byrule/settings: data.level is info, not debug") {
		t.Errorf("error %v", err)
	}
	o.Rule = func(Ref) ReadyRule { return ReadyRule{Field: "a..b", Is: "x"} }
	if _, err := c.Pending(t.Context(), settings, o); err == nil || !strings.Contains(err.Error(), "is not the path of a field") {
		t.Errorf("error %v", err)
	}
}

// unservedKind proves that an object whose kind another add-on still has to bring is
// waited for, and is no error.
func unservedKind(t *testing.T, c *Cluster) {
	objs := parse(t, "unserved", kind("unserved.clusterup.dev", "{size: {type: integer}}", "{size: 3}"))
	pending, err := c.Pending(t.Context(), objs[:1], WaitOptions{})
	if err != nil || len(pending) != 1 || pending[0].Reason != "its kind is not served yet" {
		t.Errorf("pending %+v, %v", pending, err)
	}
	other, err := connect(c.rest, "")
	if err != nil {
		t.Fatal(err)
	}
	waiting := onProgress(t, "its kind is not served yet", func() {
		if p, err := other.Plan(t.Context(), objs, Options{}); err != nil || other.Apply(t.Context(), p) != nil {
			t.Error(err)
		}
		writeStatus(t, other, RefOf(objs[0]), `{"status":{"phase":"Ready"}}`)
	})
	if err := c.Wait(waiting, objs[:1], WaitOptions{Timeout: 20 * time.Second}); err != nil {
		t.Error(err)
	}
}
