// SPDX-License-Identifier: Apache-2.0

package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/store"
)

const currentKey = "current.json"

// Pointer names the promoted release. The zero Pointer: none was promoted.
type Pointer struct {
	Digest   string // empty when nothing is left of any release
	Previous string // the release that was current before; empty when there was none
	Fence    int64  // of the run lock under which it was promoted
	Attempt  int64  // what the attempts up to this one left was pruned by then

	version store.Version // of the stored pointer; empty when there is none
}

type storedPointer struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Release    string `json:"release"`
	Previous   string `json:"previous,omitempty"`
	Fence      int64  `json:"fence"`
	Attempt    int64  `json:"attempt"`
}

// Current reads the pointer.
func (l *Library) Current(ctx context.Context) (Pointer, error) {
	data, version, err := l.Bucket.Get(ctx, currentKey)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Pointer{}, nil
	case err != nil:
		return Pointer{}, fmt.Errorf("reading which release is current: %w", err)
	}
	var p storedPointer
	if err := json.Unmarshal(data, &p); err != nil || p.Kind != "Current" || p.Release != "" && !digestForm.MatchString(p.Release) {
		return Pointer{}, hint.With(fmt.Errorf("reading which release is current: %s is damaged", currentKey),
			"restore it from a version of the bucket, or move it away: what it would prune then stays")
	}
	return Pointer{Digest: p.Release, Previous: p.Previous, Fence: p.Fence, Attempt: p.Attempt, version: version}, nil
}

// Promote makes a release current, once it is applied and all of was that is
// not in it is pruned. An empty digest says that everything is deleted. It is
// refused with converge.ErrStale when somebody else has moved the pointer since
// was was read, or under a later lock than fence. When was is settled on it,
// nothing is written.
func (l *Library) Promote(ctx context.Context, digest string, was Inventory, fence int64) error {
	old := was.Current
	if was.Settled(digest) {
		return l.unmoved(ctx, old)
	}
	if fence < old.Fence {
		return fmt.Errorf("promoting release %s: a run with a later lock (%d, this one has %d) has promoted %s: %w",
			digest, old.Fence, fence, old.Digest, converge.ErrStale)
	}
	previous := old.Digest
	if previous == digest || previous == "" {
		previous = old.Previous
	}
	data, err := encodeJSON(storedPointer{APIVersion: apiVersion, Kind: "Current", Release: digest, Previous: previous, Fence: fence, Attempt: was.Attempt})
	if err != nil {
		return fmt.Errorf("promoting release %s: %w", digest, err)
	}
	if old.version == "" {
		_, err = l.Bucket.PutNew(ctx, currentKey, data)
	} else {
		_, err = l.Bucket.PutIf(ctx, currentKey, data, old.version)
	}
	switch {
	case errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrChanged):
		return moved(digest)
	case err != nil:
		return fmt.Errorf("promoting release %s: %w", digest, err)
	}
	return nil
}

func (l *Library) unmoved(ctx context.Context, was Pointer) error {
	now, err := l.Current(ctx)
	if err == nil && now != was {
		err = moved(was.Digest)
	}
	return err
}

func moved(digest string) error {
	return fmt.Errorf("promoting release %s: another run has moved the pointer: %w", digest, converge.ErrStale)
}
