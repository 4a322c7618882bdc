// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/environment"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/store"
)

// listing is a bucket of which only the names matter.
type listing struct {
	store.Empty
	keys []string
}

func (l listing) List(context.Context, string) ([]store.Entry, error) {
	entries := []store.Entry{}
	for _, key := range l.keys {
		entries = append(entries, store.Entry{Key: key})
	}
	return entries, nil
}

// A release is named by as much of its digest as only it has; what names none or more
// than one is refused with a hint at what was meant.
func TestFindRelease(t *testing.T) {
	abc, abd := "abc"+strings.Repeat("0", 61), "abd"+strings.Repeat("0", 61)
	s := &Session{App: &App{env: &environment.Environment{}}, bucket: listing{keys: []string{
		"releases/" + abc + ".json", "releases/" + abd + ".json", "releases/notes.json", "releases/" + abc[:12] + ".json",
	}}}
	for name, want := range map[string]string{"abc": abc, "ABD0": abd, abd: abd} {
		if got, err := s.findRelease(t.Context(), name); got != want || err != nil {
			t.Errorf("%q is %q, %v", name, got, err)
		}
	}
	for name, hints := range map[string]string{
		"ab": "abc000000000, abd000000000", "": "abc000000000", "curent": "did you mean current?", "previous": "release list",
		"abe000000000": "did you mean", abc + "0": "did you mean abc000000000?",
	} {
		if got, err := s.findRelease(t.Context(), name); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(hint.Of(err), hints) {
			t.Errorf("%q is %q, %v, hint %q", name, got, err, hint.Of(err))
		}
	}
}
