// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
)

// Proof is what Consul held when a snapshot was taken, as far as it can be read
// again without a secret. The mark alone is exact; others may write beside a
// snapshot, so the rest is what was there both before and after it.
type Proof struct {
	Mark      string   `json:"mark"`      // value of MarkKey
	KeysLeast int      `json:"keysLeast"` // keys in the KV store: from so many
	KeysMost  int      `json:"keysMost"`  // to so many
	Services  []string `json:"services"`
	Policies  []string `json:"policies"`
	Tokens    []string `json:"tokens"` // accessor ids of those that do not expire
}

// Proven is what was read after a restore.
type Proven struct {
	Proof
	Keys     int      `json:"keys"`
	Services int      `json:"servicesFound"` // of those of the snapshot
	Policies int      `json:"policiesFound"`
	Tokens   int      `json:"tokensFound"`
	Missing  []string `json:"missing,omitempty"` // "policy vault", "service web": was there, and is not
}

// Prove waits until every read shows the state of the snapshot, and reads what
// was there. What is missing was deleted after the restore, as expired things are;
// that the snapshot is what Consul holds is proven by the mark.
func (c *Cluster) Prove(ctx context.Context, want Proof) (Proven, error) {
	var have facts
	err := converge.Until(ctx, "Consul to hold what the snapshot holds", c.cfg.Timeout, func(ctx context.Context) (bool, string, error) {
		s, err := c.session(ctx)
		if err != nil {
			return false, "", impatient(err)
		}
		if have, err = s.facts(ctx); err != nil {
			return false, "", impatient(err)
		}
		return have.mark == want.Mark, fmt.Sprintf("the key %s is not the one of the snapshot", MarkKey), nil
	})
	if err != nil {
		return Proven{}, err
	}
	proven := Proven{Proof: want, Keys: have.keys}
	for _, kind := range []struct {
		name       string
		want, have []string
		found      *int
	}{
		{"service", want.Services, have.services, &proven.Services},
		{"policy", want.Policies, have.policies, &proven.Policies},
		{"token", want.Tokens, have.tokens, &proven.Tokens},
	} {
		for _, name := range kind.want {
			if slices.Contains(kind.have, name) {
				*kind.found++
			} else {
				proven.Missing = append(proven.Missing, kind.name+" "+name)
			}
		}
	}
	return proven, nil
}

// facts are what can be read of Consul and told to anybody.
type facts struct {
	mark, version              string
	keys                       int
	services, policies, tokens []string
}

func (s *session) facts(ctx context.Context) (f facts, err error) {
	err = s.read(ctx, func(ctx context.Context, server *api.Client) error {
		f = facts{}
		query := (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx)
		pair, _, err := server.KV().Get(MarkKey, query)
		if err != nil {
			return err
		}
		if pair != nil {
			f.mark = string(pair.Value)
		}
		keys, _, err := server.KV().Keys("", "", query)
		if err != nil {
			return err
		}
		f.keys = len(keys)
		services, _, err := server.Catalog().Services(query)
		if err != nil {
			return err
		}
		f.services = slices.Sorted(maps.Keys(services))
		nodes, _, err := server.Catalog().Service("consul", "", query)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			f.version = max(f.version, n.ServiceMeta["version"])
		}
		policies, _, err := server.ACL().PolicyList(query)
		if err != nil {
			return err
		}
		for _, p := range policies {
			f.policies = append(f.policies, p.Name)
		}
		tokens, _, err := server.ACL().TokenList(query)
		if err != nil {
			return err
		}
		for _, t := range tokens {
			if t.ExpirationTime == nil {
				f.tokens = append(f.tokens, t.AccessorID)
			}
		}
		return nil
	})
	slices.Sort(f.policies)
	slices.Sort(f.tokens)
	return f, err
}

// prove keeps what both looks have seen.
func prove(before, after facts) Proof {
	both := func(a, b []string) []string {
		return slices.DeleteFunc(slices.Clone(a), func(name string) bool { return !slices.Contains(b, name) })
	}
	return Proof{
		Mark: after.mark, KeysLeast: min(before.keys, after.keys), KeysMost: max(before.keys, after.keys),
		Services: both(before.services, after.services), Policies: both(before.policies, after.policies), Tokens: both(before.tokens, after.tokens),
	}
}
