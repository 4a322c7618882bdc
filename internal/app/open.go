// SPDX-License-Identifier: Apache-2.0

package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/localcluster"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// open connects a session to its store and prepares what the steps need. Only a
// session that may write makes what is missing: the operator's identity, the
// reservation of this machine, the local store.
func (s *Session) open(ctx context.Context) error {
	config, err := s.storeConfig(ctx)
	if err != nil {
		return err
	}
	if err := s.openKeys(); err != nil {
		return err
	}
	s.bucket = store.Empty{}
	if config != nil {
		if s.whole, err = openStore(ctx, *config); err != nil {
			return err
		}
		s.bucket = s.whole
	}
	s.specs = s.allSpecs()
	s.keeper = &secret.Keeper{Bucket: tokenBucket{s.bucket}, Recipients: s.everybody(), Identities: s.identities}
	s.cluster = memo(s.connect)
	s.forgetTokens()
	if s.terraform, err = s.openTerraform(ctx, config); err != nil {
		return err
	}
	return s.openHooks()
}

// forgetTokens has tokens, and what was made from them, read and made anew when
// they are next asked for.
func (s *Session) forgetTokens() {
	s.tokens = memo(func(ctx context.Context) (*secret.Set, error) {
		made, err := s.keeper.Load(ctx, s.specs)
		if err != nil {
			return nil, err
		}
		return s.withStoreKey(made), nil
	})
	s.rendered = memo(s.wanted)
	s.sketched = memo(s.sketch)
	s.staged = memo(s.fetch)
	s.library = memo(s.openLibrary)
}

// storeConfig says where the store is; nil when there is none yet.
func (s *Session) storeConfig(ctx context.Context) (*store.Config, error) {
	if spec := s.env.Spec.Store; !s.env.LocalStore() {
		return &store.Config{Bucket: spec.Bucket, Prefix: spec.Prefix, Region: spec.Region, Endpoint: spec.Endpoint, PathStyle: spec.PathStyle}, nil
	}
	if s.mode == changing {
		if err := localcluster.Preflight(ctx, *s.local); err != nil {
			return nil, err
		}
		if _, err := localcluster.Reserve(ctx, *s.local); err != nil {
			return nil, err
		}
	}
	held, err := localcluster.Reserved(*s.local)
	if err != nil {
		return nil, err
	}
	if s.mode != changing && !localcluster.StoreExists(*s.local) || s.mode == looking && held.ID == "" {
		return nil, nil //nolint:nilnil // never made, or destroyed: looking starts no server
	}
	access, err := localcluster.EnsureStore(ctx, *s.local)
	if err != nil {
		return nil, err
	}
	s.store = access
	return &store.Config{
		Bucket: access.Bucket, Prefix: s.Name(), Region: access.Region, Endpoint: access.Endpoint, PathStyle: true,
		AccessKey: access.AccessKey, SecretKey: access.SecretKey,
	}, nil
}

// storeTimeout is how long a store may take for its first answer.
const storeTimeout = 10 * time.Second

// openStore does not wait for a store that accepts connections and says nothing.
func openStore(ctx context.Context, config store.Config) (*store.S3, error) {
	soon, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	opened, err := store.Open(soon, config)
	if err != nil && soon.Err() != nil && ctx.Err() == nil {
		where := cmp.Or(config.Endpoint, "AWS")
		return nil, hint.With(fmt.Errorf("open the store s3://%s: %s does not answer within %s", config.Bucket, where, storeTimeout),
			"look at the S3 server, or correct spec.store.endpoint")
	}
	return opened, err
}

// openLibrary opens the releases; their digests need a token.
func (s *Session) openLibrary(ctx context.Context) (*release.Library, error) {
	tokens, err := s.tokens(ctx)
	if errors.Is(err, converge.ErrNotYet) { // releases that are there can be read without the tokens of new add-ons
		tokens, err = s.keeper.Load(ctx, []secret.Spec{releaseKey()})
	}
	if err != nil {
		return nil, err
	}
	key, _ := tokens.Secret(releaseKey().ID())
	return &release.Library{Bucket: s.bucket, Recipients: s.everybody(), Identities: s.identities, Key: key}, nil
}

// fetch reads the wanted release back from the bucket, verified.
func (s *Session) fetch(ctx context.Context) (*release.Release, error) {
	want, err := s.rendered(ctx)
	if err != nil {
		return nil, err
	}
	library, err := s.library(ctx)
	if err != nil {
		return nil, err
	}
	missing, err := library.Missing(ctx, want)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("release %s: %w", Short(want.Digest), converge.ErrNotYet)
	}
	return library.Fetch(ctx, want.Digest)
}

// connect gives the cluster, once Terraform's outputs or the environment's file
// say where it is and its API server answers.
func (s *Session) connect(ctx context.Context) (*kube.Cluster, error) {
	config, err := s.access(ctx)
	if err != nil {
		return nil, err
	}
	cluster, err := kube.Connect(config)
	if err != nil {
		return nil, err
	}
	if err := cluster.Reachable(ctx); err != nil {
		cluster.Close()
		if hint.Of(err) == "" {
			err = hint.With(err, "check that the kubeconfig names an API server, and that it is well")
		}
		return nil, err
	}
	return cluster, nil
}

// reachable is the cluster for planning. While one that Terraform made does not
// answer, the plans that look at it wait for the step that brings it back.
func (s *Session) reachable(ctx context.Context) (*kube.Cluster, error) {
	cluster, err := s.cluster(ctx)
	if err != nil && s.env.Spec.Cluster.Terraform != nil && !errors.Is(err, converge.ErrNotYet) {
		return nil, fmt.Errorf("%w: %w", err, converge.ErrNotYet)
	}
	return cluster, err
}

// access says how to reach the cluster.
func (s *Session) access(ctx context.Context) (kube.Config, error) {
	if existing := s.env.Spec.Cluster.Kubeconfig; existing != nil {
		return kube.Config{Kubeconfig: existing.Path, Context: existing.Context}, nil
	}
	outputs, err := s.outputs(ctx)
	if err != nil {
		return kube.Config{}, err
	}
	return kube.Config{Kubeconfig: outputs.Kubeconfig}, nil
}

// Kubeconfig is a kubeconfig for the environment's cluster alone.
func (s *Session) Kubeconfig(ctx context.Context) ([]byte, error) {
	config, err := s.access(ctx)
	if errors.Is(err, converge.ErrNotYet) {
		return nil, hint.With(fmt.Errorf("%s has no cluster yet", s.Name()), "make it with `clusterup create %s`", s.Name())
	}
	if err != nil {
		return nil, err
	}
	return kube.Kubeconfig(config)
}
