// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/hint"
)

// Entry is a snapshot in a listing, which costs one request for all of them.
type Entry struct {
	Name    string    `json:"name"`
	Taken   time.Time `json:"taken"`
	Trigger string    `json:"trigger"`
	Size    int64     `json:"size"` // of the sealed bytes
	// Verified is false for what a killed run left: bytes that nobody has read
	// back, or a description whose bytes are gone.
	Verified bool `json:"verified"`
}

// List gives all snapshots, the newest first.
func (s *Shelf) List(ctx context.Context) ([]Entry, error) {
	objects, err := s.Bucket.List(ctx, s.Prefix)
	if err != nil {
		return nil, err
	}
	halves := map[string]int{}
	sizes := map[string]int64{}
	for _, o := range objects {
		key := strings.TrimPrefix(o.Key, s.Prefix)
		if name, ok := strings.CutSuffix(key, sealedEnd); ok {
			halves[name]++
			sizes[name] = o.Size
		} else if name, ok := strings.CutSuffix(key, metaEnd); ok {
			halves[name]++
		}
	}
	entries := []Entry{}
	for name, n := range halves {
		taken, trigger, ok := parseName(name)
		if ok {
			entries = append(entries, Entry{Name: name, Taken: taken, Trigger: trigger, Size: sizes[name], Verified: n == 2})
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		if c := b.Taken.Compare(a.Taken); c != 0 {
			return c
		}
		return strings.Compare(b.Name, a.Name)
	})
	return entries, nil
}

// parseName takes "20261128T160501Z-1234-manual" apart.
func parseName(name string) (taken time.Time, trigger string, ok bool) {
	parts := strings.Split(name, "-")
	if len(parts) != 3 || !slices.Contains([]string{Manual, Scheduled, Safety}, parts[2]) {
		return time.Time{}, "", false
	}
	taken, err := time.Parse(timeFormat, parts[0])
	return taken, parts[2], err == nil
}

// Find reads the description of a snapshot; an empty name is the newest one that
// was not taken by a restore: that one holds what somebody wanted to get away from,
// and a restore that was cut off and is run again has to choose as before.
func (s *Shelf) Find(ctx context.Context, name string) (Snapshot, error) {
	entries, err := s.List(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Verified && (name == "" && e.Trigger != Safety || e.Name == name) })
	switch {
	case i >= 0:
	case name == "":
		return Snapshot{}, fmt.Errorf("there is no snapshot below %s", s.Prefix)
	case slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == name }):
		return Snapshot{}, hint.With(fmt.Errorf("snapshot %s was never verified: whoever took it was cut off", name), "name another one")
	default:
		return Snapshot{}, hint.With(fmt.Errorf("there is no snapshot %q below %s", name, s.Prefix), "the list of snapshots has the names")
	}
	data, _, err := s.Bucket.Get(ctx, s.key(entries[i].Name, metaEnd))
	if err != nil {
		return Snapshot{}, err
	}
	var shot Snapshot
	if err := json.Unmarshal(data, &shot); err != nil {
		return Snapshot{}, fmt.Errorf("read the description of snapshot %s: %w", entries[i].Name, err)
	}
	switch {
	case shot.Format != format:
		return Snapshot{}, hint.With(fmt.Errorf("snapshot %s is of format %d, and this program knows %d", shot.Name, shot.Format, format), "use the version that took it")
	case shot.Name != entries[i].Name:
		return Snapshot{}, fmt.Errorf("snapshot %s is described as %q", entries[i].Name, shot.Name)
	case shot.Environment != s.Environment:
		return Snapshot{}, fmt.Errorf("snapshot %s is of environment %s, and this is %s", shot.Name, shot.Environment, s.Environment)
	}
	return shot, nil
}

// unfinished is how long what a cut-off job left may lie: by then nobody writes it.
const unfinished = 24 * time.Hour

// Keep deletes scheduled snapshots but the newest n, and what killed jobs left a
// day ago. It gives the names that it deleted. Manual ones stay.
func (s *Shelf) Keep(ctx context.Context, n int) ([]string, error) {
	if n < 1 {
		return nil, fmt.Errorf("keep %d snapshots: at least one has to stay", n)
	}
	entries, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	var gone []string
	for _, e := range entries {
		switch {
		case e.Trigger != Scheduled:
			continue
		case e.Verified && n > 0:
			n--
			continue
		case !e.Verified && time.Since(e.Taken) < unfinished:
			continue
		}
		// The description first: bytes without one are no snapshot.
		for _, end := range []string{metaEnd, sealedEnd} {
			if err := s.Bucket.Delete(ctx, s.key(e.Name, end)); err != nil {
				return gone, err
			}
		}
		gone = append(gone, e.Name)
	}
	return gone, nil
}
