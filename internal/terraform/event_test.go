// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

func TestEventsSayWhatIsBeingDone(t *testing.T) {
	for line, want := range map[string]string{
		`{"@level":"info","@message":"x","hook":{"resource":{"addr":"terraform_data.a[0]"},"action":"create"},"type":"apply_start"}`:                            "terraform_data.a[0]: creating",
		`{"hook":{"resource":{"addr":"a"},"action":"delete","elapsed_seconds":20},"type":"apply_progress"}`:                                                     "a: deleting, 20s so far",
		`{"hook":{"resource":{"addr":"a"},"provisioner":"local-exec","output":"node 2\tis up"},"type":"provision_progress"}`:                                    "a: node 2 is up",
		`{"hook":{"resource":{"addr":"a"},"provisioner":"local-exec","output":"Executing: [\"/bin/sh\" \"-c\" \"secret stuff\"]"},"type":"provision_progress"}`: "",
		`{"hook":{"resource":{"addr":"a"},"provisioner":"local-exec","output":""},"type":"provision_progress"}`:                                                 "",
		`{"hook":{"resource":{"addr":"a"},"provisioner":"local-exec"},"type":"provision_errored"}`:                                                              "a: failed",
		`{"@message":"Terraform 1.11.4","type":"version","ui":"1.2"}`:                                                                                           "",
		`Acquiring state lock. This may take a few moments...`:                                                                                                  "",
		`{"type":`: "",
		``:         "",
	} {
		e, _ := parseEvent([]byte(line))
		if got := e.doing(); got != want {
			t.Errorf("%s\ngives %q, want %q", line, got, want)
		}
	}
}

const plannedChange = `{"change":{"resource":{"addr":"%s"},"action":"%s","reason":"%s"},"type":"planned_change"}` + "\n"

func TestPlannedChanges(t *testing.T) {
	s := newEvents(t.Context())
	stream := fmt.Sprintf(plannedChange, "b", "replace", "replace_by_triggers") +
		"Acquiring state lock. This may take a few moments...\n" +
		fmt.Sprintf(plannedChange, "a", "create", "") +
		fmt.Sprintf(plannedChange, "c", "noop", "") +
		fmt.Sprintf(plannedChange, "d", "read", "") +
		`{"outputs":{"o":{"action":"noop"},"p":{"action":"create"}},"type":"outputs"}` + "\n"
	for _, b := range []byte(stream) { // however the stream is cut
		if _, err := s.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	want := []converge.Change{
		{Subject: "a", Action: converge.Create},
		{Subject: "b", Action: converge.Replace, Note: "replace by triggers"},
		{Subject: "output p", Action: converge.Update},
	}
	if diff := cmp.Diff(want, s.planned()); diff != "" {
		t.Error(diff)
	}
}

func TestFailureIsOneLine(t *testing.T) {
	output := func(line string) string {
		return fmt.Sprintf(`{"hook":{"resource":{"addr":"terraform_data.a"},"output":%q},"type":"provision_progress"}`+"\n", line)
	}
	failed := `{"type":"diagnostic","diagnostic":{"severity":"error","summary":"local-exec provisioner error","address":"terraform_data.a",` +
		`"detail":"Error running command 'clusterup --token hunter2': exit status 3. Output: it broke\n"}}` + "\n"
	for name, tc := range map[string]struct {
		stream, want, help string
		is                 error
	}{
		"the first error counts": {
			stream: `{"type":"diagnostic","diagnostic":{"severity":"warning","summary":"Old"}}` + "\n" +
				`{"type":"diagnostic","diagnostic":{"severity":"error","summary":"Bad","detail":"Very\nbad.","address":"x.y","range":{"filename":"main.tf","start":{"line":7}}}}` + "\n" +
				`{"type":"diagnostic","diagnostic":{"severity":"error","summary":"Worse"}}` + "\n",
			want: "terraform apply: main.tf:7: x.y: Bad: Very bad.",
		},
		"a provisioner's last words": {
			stream: output(`Executing: ["clusterup --token hunter2"]`) + output("starting") + output("error: port 80 is taken") + output("hint: free it") + failed,
			want:   "terraform apply: terraform_data.a: port 80 is taken",
			help:   "free it",
		},
		"a silent provisioner": {stream: failed, want: "terraform apply: terraform_data.a: exit status 3"},
		"a stale plan": {
			stream: `{"type":"diagnostic","diagnostic":{"severity":"error","summary":"Saved plan is stale","detail":"..."}}` + "\n",
			want:   "terraform apply: Saved plan is stale", is: converge.ErrStale,
		},
		"a held lock": {
			stream: `{"type":"diagnostic","diagnostic":{"severity":"error","summary":"Error acquiring the state lock",` +
				`"detail":"Error message: 412\nLock Info:\n  ID:        1\n  Who:       root@vm\n  Version:   1.11.4\n  Created:   2026-11-20 19:45:14.29 +0000 UTC\n  Info:      \n"}}` + "\n",
			want: "terraform apply: the Terraform state is locked by root@vm since 2026-11-20 19:45:14 UTC", help: "let that run end", is: ErrLocked,
		},
		"too old": {
			stream: `{"type":"diagnostic","diagnostic":{"severity":"error","summary":"Unsupported Terraform Core version",` +
				`"detail":"This configuration does not support Terraform version 1.9.8. To proceed, do this."}}` + "\n",
			want: "terraform apply: This configuration does not support Terraform version 1.9.8", help: "1.10 or newer",
		},
		"no event": {stream: "", want: "terraform apply: exit status 1 panic: oh"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newEvents(t.Context())
			if _, err := s.Write([]byte(tc.stream)); err != nil {
				t.Fatal(err)
			}
			err := s.failure(t.Context(), "apply", errors.New("exit status 1\npanic: oh\n"))
			if err.Error() != tc.want {
				t.Errorf("error %q, want %q", err, tc.want)
			}
			if help := hint.Of(err); !strings.Contains(help, tc.help) || (tc.help == "" && help != "") {
				t.Errorf("hint %q, want %q", help, tc.help)
			}
			if tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("%v is no %v", err, tc.is)
			}
		})
	}
}

func TestInterruptIsNamed(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	cancel(why)
	if err := newEvents(ctx).failure(ctx, "apply", errors.New("exit status 1")); !errors.Is(err, why) {
		t.Error(err)
	}
}

// Whatever comes, nothing panics, progress is one printable line, and a command
// line is never part of it.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(plannedChange, "a", "create", "")))
	f.Add([]byte(`{"hook":{"resource":{"addr":"a"},"output":"Executing: [\"x\"]"},"type":"provision_progress"}` + "\n"))
	f.Add([]byte(`{"type":"diagnostic","diagnostic":{"severity":"error","summary":"local-exec provisioner error","detail":"Error running command 'x': exit status 3. Output: "}}` + "\n"))
	f.Add([]byte("{\n}\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx := converge.WithProgress(t.Context(), func(s string) {
			if strings.ContainsFunc(s, unicode.IsControl) && strings.ContainsAny(s, "\n\r\x1b") {
				t.Errorf("progress %q", s)
			}
			if strings.Contains(s, ": Executing: [") {
				t.Errorf("progress shows a command: %q", s)
			}
		})
		s := newEvents(ctx)
		half := len(data) / 2
		_, _ = s.Write(data[:half])
		_, _ = s.Write(data[half:])
		if err := s.failure(t.Context(), "apply", errors.New("exit status 1")); strings.ContainsAny(err.Error(), "\n\r\x1b") {
			t.Errorf("error %q", err)
		}
		for _, c := range s.planned() {
			if c.Action == "" {
				t.Errorf("change without an action: %+v", c)
			}
		}
	})
}
