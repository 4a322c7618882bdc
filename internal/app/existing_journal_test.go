// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/store"
)

// history is the journal as `clusterup history` reads it.
func (w *world) history(t *testing.T) []Ran {
	t.Helper()
	s, err := w.open(t).Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	runs, all, err := s.History(t.Context(), 0)
	if err != nil || all != len(runs) {
		t.Fatalf("%d of %d runs, %v", len(runs), all, err)
	}
	return runs
}

func outcomes(runs []Ran) string {
	all := []string{}
	for _, r := range runs {
		all = append(all, r.Outcome)
	}
	return strings.Join(all, " ")
}

// The journal tells of every run that changed something, how it ended and what it
// was about, also of one that was killed in the middle; of looking, and of runs
// with nothing to do, it tells nothing. No token is in it.
func journalOfRuns(t *testing.T, w *world) {
	w.mustRun(t)
	w.mustRun(t) // nothing to do
	runs := w.history(t)
	if outcomes(runs) != "done" {
		t.Fatalf("after one run that did something: %+v", runs)
	}
	first := runs[0]
	if first.Release != w.current(t) || first.Operation != "test" || !strings.Contains(first.Who, "@") || first.At.IsZero() || first.Plan["create"] == 0 || len(first.Steps) == 0 {
		t.Errorf("%+v", first)
	}

	w.level = "debug"
	w.writeEnvironment(t)
	w.killAfterApply(t)
	runs = w.history(t)
	if outcomes(runs) != "died done" || runs[0].Release == first.Release || runs[0].Release == "" {
		t.Errorf("after a killed run: %+v", runs)
	}
	killed := runs[0].Release

	w.manifest(t, "demo", "wrong", `{apiVersion: v1, kind: ConfigMap, metadata: {name: "Not_A_Name"}}`)
	if err := w.run(t, w.hold(t)); err == nil {
		t.Fatal("a wrong name was applied")
	}
	runs = w.history(t)
	if outcomes(runs) != "failed died done" || runs[0].Error == "" || strings.Contains(runs[0].Error, "\n") {
		t.Errorf("after a failed run: %+v", runs[0])
	}
	w.removeManifest(t, "demo", "wrong")
	seen := ""
	if err := w.run(t, w.hold(t), func(e converge.Event) {
		if e.Step == promote && e.Kind == converge.Started {
			seen = outcomes(w.history(t))
		}
	}); err != nil {
		t.Fatal(err)
	}
	if seen != "running failed died done" || w.current(t) != killed {
		t.Errorf("during a run: %q", seen)
	}

	password := w.password(t)
	if text, err := json.Marshal(w.history(t)); err != nil || strings.Contains(string(text), password) {
		t.Error("a token is in the journal", err)
	}
}

// A journal that cannot be written is said once and fails no run.
func journalRefused(t *testing.T, w *world) {
	s := w.hold(t)
	s.bucket = speechless{s.bucket}
	if err := w.run(t, s); err != nil {
		t.Fatal(err)
	}
	said := slices.DeleteFunc(slices.Clone(w.heard), func(line string) bool { return !strings.Contains(line, "not in the history") })
	if len(said) != 1 || len(w.history(t)) > 0 {
		t.Errorf("said %q", said)
	}
}

type speechless struct{ store.Bucket }

func (b speechless) PutNew(ctx context.Context, key string, data []byte) (store.Version, error) {
	if strings.HasPrefix(key, "runs/") {
		return "", errors.New("no journal today")
	}
	return b.Bucket.PutNew(ctx, key, data)
}

const runToKill = "TEST_RUN_TO_KILL"

// killAfterApply lets a process of its own run until the add-on is applied, and
// kills it there.
func (w *world) killAfterApply(t *testing.T) {
	t.Helper()
	file := filepath.Join(w.dir, "environments", w.name+".yaml")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRunToKill$", "-test.v")
	child.Env = append(os.Environ(), runToKill+"="+file+" "+w.identity)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said, applied := []string{}, false
	for lines := bufio.NewScanner(out); !applied && lines.Scan(); {
		said = append(said, lines.Text())
		applied = lines.Text() == "applied"
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if !applied {
		t.Fatalf("the run did not come far enough to be killed:\n%s", strings.Join(said, "\n"))
	}
}

// TestRunToKill is the process that killAfterApply kills.
func TestRunToKill(t *testing.T) {
	file, identity, ok := strings.Cut(os.Getenv(runToKill), " ")
	if !ok {
		t.Skip("only for tests that kill a run")
	}
	a, err := Open(Options{Environment: file, Identity: identity, Operation: "test"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	planned, err := s.Plan(s.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Apply(s.Context(), planned, func(e converge.Event) {
		if e.Step == "demo/apply" && e.Kind == converge.Done {
			fmt.Fprintln(os.Stdout, "applied")
			<-t.Context().Done() // which it does not live to see
		}
	})
	t.Fatalf("it was not killed: %v", err)
}
