// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/secret"
)

// GoBack makes an earlier release the one that Plan and Apply bring about, with the
// tokens of today. Every byte of it is verified first. Unless a token was made anew since,
// the digest stays the same.
func (s *Session) GoBack(ctx context.Context, name string) error {
	old, err := s.fetchNamed(ctx, name)
	if err != nil {
		return err
	}
	if old.Index.Environment != s.Name() {
		return fmt.Errorf("release %s is one of the environment %s", Short(old.Digest), old.Index.Environment)
	}
	if err := s.hooksFor(old); err != nil {
		return err
	}
	library, err := s.library(ctx)
	if err != nil {
		return err
	}
	d, err := s.presentTokens(ctx)
	if err != nil {
		return err
	}
	parts, changed, doubts, err := d.parts(ctx, old)
	if err != nil {
		return err
	}
	s.back, s.doubts = old, doubts
	for _, line := range doubts {
		s.say("%s", line)
	}
	if changed {
		if s.back, err = release.New(s.Name(), parts, library.Key); err != nil {
			return err
		}
		s.say("tokens were made anew since release %s: it is applied with them, as %s", Short(old.Digest), Short(s.back.Digest))
	}
	s.rendered = func(context.Context) (*release.Release, error) { return s.back, nil }
	s.staged = memo(s.fetch)
	return nil
}

// hooksFor refuses a release with an add-on that the environment's file lacks and that
// leaves waiting to hooks: they would not run, and the release would be current without
// anybody having waited.
func (s *Session) hooksFor(old *release.Release) error {
	for _, entry := range old.Index.Addons {
		if skip := entry.Rules.Ready.Skip; len(skip) > 0 && !slices.Contains(s.addonNames(), entry.Name) {
			err := fmt.Errorf("release %s leaves waiting for %s to hooks of add-on %s, which the environment's file lacks", Short(old.Digest), strings.Join(skip, ", "), entry.Name)
			return hint.With(err, "add {name: %s} to spec.addons first: hooks run for the add-ons of the file", entry.Name)
		}
	}
	return nil
}

// presentTokens knows the values that the tokens of today give: in what the
// environment's file renders to now, or else in the current release. A folder that does
// not render is a reason to go back and none to refuse it.
func (s *Session) presentTokens(ctx context.Context) (derived, error) {
	missing, err := s.keeper.Missing(ctx, s.specs)
	if err != nil {
		return derived{}, err
	}
	there := slices.DeleteFunc(slices.Clone(s.specs), func(spec secret.Spec) bool {
		return slices.ContainsFunc(missing, func(m secret.Spec) bool { return m.ID() == spec.ID() })
	})
	tokens, err := s.keeper.Load(ctx, there)
	if err != nil {
		return derived{}, err
	}
	asked := s.rendered
	return derived{
		halves: halves(s.withStoreKey(tokens)),
		today: memo(func(ctx context.Context) (map[kube.Ref]tokenValue, error) {
			if _, err := s.tokens(ctx); errors.Is(err, converge.ErrNotYet) {
				return nil, nil // a token is missing, so nothing can be rendered
			} else if err != nil {
				return nil, err
			}
			r, err := asked(ctx) // with the tokens read, only rendering is left
			switch {
			case err == nil:
				return valuesIn(r), nil
			case ctx.Err() != nil:
				return nil, context.Cause(ctx)
			}
			return nil, nil
		}),
		current: memo(func(ctx context.Context) (map[kube.Ref]tokenValue, error) {
			r, err := s.fetchCurrent(ctx)
			if err != nil || r == nil {
				return nil, err
			}
			return valuesIn(r), nil
		}),
	}, nil
}

// fetchCurrent reads the current release; nil when there is none.
func (s *Session) fetchCurrent(ctx context.Context) (*release.Release, error) {
	library, err := s.library(ctx)
	if err != nil {
		return nil, err
	}
	current, err := library.Current(ctx)
	if err != nil || current.Digest == "" {
		return nil, err
	}
	return library.Fetch(ctx, current.Digest)
}

// AsksFor says what the environment's file asks for after a rollback, in a sentence;
// nothing when that is the release that is current now.
func (s *Session) AsksFor(ctx context.Context) string {
	if s.back == nil {
		return ""
	}
	r, err := s.wanted(ctx)
	switch {
	case errors.Is(err, converge.ErrNotYet), err == nil && r.Digest != s.back.Digest:
		which := "another release"
		if err == nil {
			which = "release " + Short(r.Digest)
		}
		return fmt.Sprintf("the environment's file still asks for %s: the next create goes there", which)
	case err != nil:
		return "the environment's file does not render, so the next create will fail until it does"
	}
	return ""
}

// fetchNamed reads the release that a reader names: see findRelease.
func (s *Session) fetchNamed(ctx context.Context, name string) (*release.Release, error) {
	digest, err := s.findRelease(ctx, name)
	if err != nil {
		return nil, err
	}
	library, err := s.library(ctx)
	if errors.Is(err, converge.ErrNotYet) {
		return nil, hint.With(fmt.Errorf("%s has no releases yet: %w", s.Name(), err), "make one with `clusterup create %s`", s.Name())
	}
	if err != nil {
		return nil, err
	}
	return library.Fetch(ctx, digest)
}
