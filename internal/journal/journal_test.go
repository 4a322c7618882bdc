// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/store"
)

// memory is a bucket.
type memory map[string][]byte

func (m memory) Get(_ context.Context, key string) ([]byte, store.Version, error) {
	data, ok := m[key]
	if !ok {
		return nil, "", store.ErrNotFound
	}
	return data, "1", nil
}

func (m memory) PutNew(_ context.Context, key string, data []byte) (store.Version, error) {
	if _, ok := m[key]; ok {
		return "", store.ErrExists
	}
	m[key] = data
	return "1", nil
}

func (m memory) List(_ context.Context, prefix string) ([]store.Entry, error) {
	var entries []store.Entry
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(key, prefix) {
			entries = append(entries, store.Entry{Key: key})
		}
	}
	return entries, nil
}

// What is written is read, the newest run first, with the release that a run came
// to; an error keeps to one line.
func TestJournal(t *testing.T) {
	ctx, b := t.Context(), memory{"runs/notes.txt": []byte("of somebody else")}
	first, err := Begin(ctx, b, Start{Operation: "create", Version: "1", Plan: map[string]int{"create": 2}})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Attempt(ctx, "abc"); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := first.End(ended, End{Outcome: Failed, Error: "one\ntwo", Steps: []Step{{Step: "demo/apply", Error: strings.Repeat("x", 600) + "\nmore"}}}); err != nil {
		t.Error("the end of a run that was stopped is not written:", err)
	}
	second := &Writer{bucket: b, id: newID(time.Now().Add(time.Hour))}
	if err := second.put(ctx, startSeq, Start{Operation: "destroy", Release: "def"}); err != nil {
		t.Fatal(err)
	}
	runs, all, err := Read(ctx, b, 0)
	if err != nil || all != 2 || len(runs) != 2 {
		t.Fatalf("%+v, %d, %v", runs, all, err)
	}
	if r := runs[0]; r.Start.Operation != "destroy" || r.End != nil || r.Release() != "def" {
		t.Errorf("%+v", r)
	}
	if r := runs[1]; r.Release() != "abc" || r.End.Error != "one" || len(r.End.Steps[0].Error) > 510 || r.Start.Who == "" || r.Start.At.IsZero() {
		t.Errorf("%+v, %+v", r, r.End)
	}
	if runs, all, err := Read(ctx, b, 1); err != nil || all != 2 || len(runs) != 1 || runs[0].Start.Operation != "destroy" {
		t.Errorf("the newest of %d: %+v, %v", all, runs, err)
	}
}

// The journal decides nothing: a record that is damaged or gone hides neither the
// run, nor when it was, nor the other runs.
func TestDamagedRecords(t *testing.T) {
	ctx, b := t.Context(), memory{}
	at := time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)
	for i, content := range []string{"", "{", `{"at":5}`, `[]`, `{"operation":"create"}`} {
		b[key(newID(at.Add(time.Duration(i)*time.Minute)), startSeq)] = []byte(content)
		b[key(newID(at.Add(time.Duration(i)*time.Minute)), endSeq)] = []byte(content)
	}
	runs, _, err := Read(ctx, b, 0)
	if err != nil || len(runs) != 10 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	for _, r := range runs[2:] {
		if r.Start.At.Year() != 2026 {
			t.Errorf("%+v", r)
		}
	}
}

// What is old and not among the newest may be deleted, whole runs at a time.
func TestBefore(t *testing.T) {
	ctx, b := t.Context(), memory{}
	at := time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC)
	for i := range 5 {
		w := &Writer{bucket: b, id: newID(at.Add(time.Duration(i) * time.Hour))}
		for seq := startSeq; seq <= endSeq; seq++ {
			if err := w.put(ctx, seq, Start{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		before time.Time
		keep   int
		want   int
	}{{at, 0, 0}, {at.Add(90 * time.Minute), 0, 6}, {at.Add(90 * time.Minute), 4, 3}, {at.AddDate(1, 0, 0), 0, 15}, {at.AddDate(1, 0, 0), 9, 0}} {
		if keys, err := Before(ctx, b, tt.before, tt.keep); err != nil || len(keys) != tt.want {
			t.Errorf("before %s without the newest %d: %v, %v, want %d keys", tt.before, tt.keep, keys, err, tt.want)
		}
	}
}

// Whatever a record holds, reading it is no error and no crash, and the run keeps its
// time.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"operation":"create","at":"2026-07-03T12:00:00Z","plan":{"create":1}}`), startSeq)
	f.Add([]byte(`{"release":"abc"}`), attemptSeq)
	f.Add([]byte(`{"outcome":"done","steps":[{"step":"a"}]}`), endSeq)
	id := newID(time.Date(2026, 7, 3, 12, 0, 0, 0, time.UTC))
	f.Fuzz(func(t *testing.T, data []byte, seq int) {
		runs, _, err := Read(t.Context(), memory{key(id, 1+(seq&3)): data}, 0)
		if err != nil || len(runs) != 1 || runs[0].ID != id {
			t.Errorf("%+v, %v", runs, err)
		}
	})
}
