// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/journal"
	"clusterup.dev/clusterup/internal/release"
)

// Release is one release as `release list` and `release show` tell it.
type Release struct {
	Digest    string         `json:"digest"`
	Current   bool           `json:"current,omitempty"`
	Previous  bool           `json:"previous,omitempty"`  // was current before the current one
	Attempted bool           `json:"attempted,omitempty"` // after the current one, and not finished
	First     time.Time      `json:"firstAttempted,omitzero"`
	Who       string         `json:"who,omitempty"` // attempted it first
	Objects   int            `json:"objects"`
	Addons    []ReleaseAddon `json:"addons"`
	Damage    []string       `json:"damage,omitempty"` // what is missing or wrong in the bucket
}

// ReleaseAddon is one add-on of a release.
type ReleaseAddon struct {
	Name    string         `json:"name"`
	Version string         `json:"version"`
	Objects string         `json:"objects,omitempty"` // the digest of what is in clear
	Secrets string         `json:"secrets,omitempty"` // the digest of what is sealed
	Items   []release.Item `json:"inventory,omitempty"`
}

// Releases lists what the bucket holds, the release that was attempted last first.
func (s *Session) Releases(ctx context.Context) ([]Release, error) {
	listed, err := (&release.Library{Bucket: s.bucket}).List(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := journal.First(ctx, s.bucket)
	if err != nil {
		return nil, err
	}
	all := make([]Release, 0, len(listed))
	for _, l := range listed {
		r := described(l)
		if run, known := runs[l.Digest]; known {
			r.First, r.Who = run.Attempt.At, run.Start.Who
		}
		all = append(all, r)
	}
	return all, nil
}

func described(l release.Listed) Release {
	r := Release{Digest: l.Digest, Current: l.Current, Previous: l.Previous, Attempted: l.Since, First: l.Attempted, Addons: []ReleaseAddon{}}
	if l.Damage != nil {
		r.Damage = append(r.Damage, l.Damage.Error())
	}
	for _, key := range l.Missing {
		r.Damage = append(r.Damage, key+" is missing")
	}
	if l.Index == nil {
		return r
	}
	for _, entry := range l.Index.Addons {
		r.Objects += len(entry.Inventory)
		r.Addons = append(r.Addons, ReleaseAddon{Name: entry.Name, Version: entry.Version, Objects: entry.Objects, Secrets: entry.Secrets, Items: entry.Inventory})
	}
	return r
}

// ReleaseNamed tells one release: see findRelease for the names.
func (s *Session) ReleaseNamed(ctx context.Context, name string) (Release, error) {
	digest, err := s.findRelease(ctx, name)
	if err != nil {
		return Release{}, err
	}
	all, err := s.Releases(ctx)
	if err != nil {
		return Release{}, err
	}
	for _, r := range all {
		if r.Digest == digest {
			return r, nil
		}
	}
	return Release{}, hint.With(fmt.Errorf("release %s is not in the bucket", Short(digest)), "see `clusterup release list %s`", s.Name())
}

// stagedNext is the release that a create would stage now.
func (s *Session) stagedNext(ctx context.Context) (*release.Release, error) {
	r, err := s.rendered(ctx)
	if errors.Is(err, converge.ErrNotYet) {
		err = hint.With(fmt.Errorf("what the environment's file asks for is not known yet: %w", err),
			"run `clusterup create %s`, or name two releases", s.Name())
	}
	return r, err
}
