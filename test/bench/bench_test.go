// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
)

// TestMain runs one tool where the test calls itself for that.
func TestMain(m *testing.M) {
	if os.Getenv("BENCH_TOOL") != "" {
		main()
		return
	}
	m.Run()
}

// TestBench proves that every tool makes all objects, finds and mends one that
// has drifted, and that clusterup names the field and who wrote it; and it says how
// long each takes. Without further settings it is a sample that shows that the
// program works: what it measures then means nothing.
func TestBench(t *testing.T) {
	s := readSettings(t)
	w := newWorld(t, s)
	all := contenders(w)
	report := &report{settings: s}
	for _, profile := range s.profiles {
		for _, size := range s.sizes {
			table := report.begin(profile, size)
			for round := range s.rounds {
				for i := range all { // each round begins with another one
					c := all[(i+round)%len(all)]
					if c.upTo > 0 && size > c.upTo {
						table.fail(c.name, first, fmt.Sprintf("not run above %d", c.upTo))
					}
					if table.failed(c.name) { // it would not do better
						continue
					}
					w.say("%s, %d objects, round %d of %d: %s", profile, size, round+1, s.rounds, c.name)
					w.cell(t, c, table, round)
				}
			}
		}
	}
	text, missed := report.text()
	w.publish(t, text)
	for _, goal := range missed {
		if s.gate {
			t.Errorf("missed: %s", goal)
		}
	}
}

// cell is one contender on a fresh namespace: from nothing, again, and with drift.
func (w *world) cell(t *testing.T, c contender, table *table, round int) {
	t.Helper()
	place := w.newPlace(t, c, table, round)
	defer w.empty(t, place)
	// take runs one of a cell's operations. What fails ends the cell.
	ended := false
	take := func(row string, column column, do operation) result {
		if ended || do == nil {
			return result{}
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), w.limit, errLimit)
		defer cancel()
		r, err := do(ctx, place)
		switch {
		case errors.Is(context.Cause(ctx), errLimit):
			table.fail(row, column, fmt.Sprintf("> %.0f s", w.limit.Seconds()))
			ended = true
		case err != nil:
			table.fail(row, column, "failed: "+err.Error())
			ended = true
			if !c.mayFail {
				t.Errorf("%s: %s of %d %s: %v", row, column, table.size, table.profile, err)
			}
		default:
			if row == c.look {
				r.Found = r.Seconds // a look does nothing else
			}
			table.add(row, column, r)
		}
		return r
	}

	take(c.name, first, c.apply)
	if !ended {
		w.complete(t, place)
	}
	for range max(c.repeats, 1) {
		for _, other := range c.beside {
			take(other.name, again, other.run)
		}
		before := w.requests(t)
		r := take(c.name, again, c.apply)
		if c.named && !ended {
			table.requests[c.name] = w.requests(t).since(before)
			if r.Changes > 0 {
				t.Errorf("%s found %d changes where there were none", c.name, r.Changes)
			}
		}
		take(c.look, again, c.lookRun)
	}
	if ended {
		return
	}
	w.drift(t, place)
	found := take(c.look, drifted, c.lookRun)
	mended := take(c.name, drifted, c.apply)
	if ended {
		return
	}
	w.mended(t, place)
	if !c.named {
		return
	}
	if want := place.driftName(); !slices.Contains([]string{found.Named, mended.Named}, want) {
		t.Errorf("%s named %q %q, not %q", c.name, found.Named, mended.Named, want)
	}
}

var errLimit = errors.New("the time limit has passed")
