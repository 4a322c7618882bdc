// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"sync"

	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

const (
	// observedPrefix holds, by cluster and add-on, what the last run saw of the objects.
	observedPrefix = "observed/"
	// observedPurpose makes another key of the token that digests of releases use.
	observedPurpose = "clusterup observed key v1"
)

func observedKey(cluster, addon string) string {
	return observedPrefix + cluster + "/" + addon + ".json"
}

// observations are what a session has read of them.
type observations struct {
	mu      sync.Mutex
	byAddon map[string]later[observation]
}

// observation is what was seen of one add-on's objects, and where that is kept.
type observation struct {
	*kube.Observed
	key string
}

// observed is what the last run saw of an add-on's objects, read once a run. It only saves
// time: while it cannot be read, for whatever reason, there is none.
func (s *Session) observed(ctx context.Context, addon string) observation {
	s.seen.mu.Lock()
	read, ok := s.seen.byAddon[addon]
	if !ok {
		if s.seen.byAddon == nil {
			s.seen.byAddon = make(map[string]later[observation])
		}
		read = memo(func(ctx context.Context) (observation, error) { return s.readObserved(ctx, addon) })
		s.seen.byAddon[addon] = read
	}
	s.seen.mu.Unlock()
	o, err := read(ctx)
	if err != nil {
		return observation{}
	}
	return o
}

func (s *Session) readObserved(ctx context.Context, addon string) (observation, error) {
	tokens, err := s.tokens(ctx)
	if err != nil {
		return observation{}, err
	}
	cluster, err := s.cluster(ctx)
	if err != nil {
		return observation{}, err
	}
	here, err := cluster.Identity(ctx)
	if err != nil {
		return observation{}, err
	}
	o := observation{key: observedKey(here.UID, addon)}
	data, _, err := s.bucket.Get(ctx, o.key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return observation{}, err
	}
	token, _ := tokens.Secret(releaseKey().ID())
	if token.IsZero() {
		return observation{}, errors.New("there is no token to seal it with")
	}
	o.Observed = kube.ReadObserved(data, here.UID, secret.NewString(secret.HMAC(token, []byte(observedPurpose))))
	return o, nil
}

// keepObserved stores what this run has learned, if it may write. A failure costs the
// next run time and is none of this one's.
func (s *Session) keepObserved(ctx context.Context, o observation) {
	if o.Observed == nil || s.lease == nil {
		return
	}
	_ = o.Save(func(data []byte) error { return s.bucket.Put(ctx, o.key, data) })
}

// forgetObserved deletes what was seen of a cluster that is gone.
func (s *Session) forgetObserved(ctx context.Context) error {
	entries, err := s.bucket.List(ctx, observedPrefix)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.bucket.Delete(ctx, e.Key); err != nil {
			return err
		}
	}
	return nil
}
