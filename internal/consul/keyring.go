// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
)

// gossipRing is the keyring of the members beside the generations of the key. Keys
// are named by their generation wherever somebody reads.
type gossipRing struct {
	key       string // the newest generation
	number    int
	members   int
	installed int // members that have it
	primary   int // members that use it
	uses      string
	old       []oldKey // older generations that some member still has, newest first
	unknown   int      // keys that are no generation of ours
	away      []string // servers that gossip does not reach
}

type oldKey struct {
	key    string
	number int
}

// gossip reads the keyring from every member.
func (s *session) gossip(ctx context.Context) (gossipRing, error) {
	value, _ := s.tokens.Secret(gossipToken)
	number, _ := s.tokens.Generation(gossipToken)
	ring := gossipRing{key: value.RevealString(), number: number}
	var err error
	if ring.away, err = s.away(ctx); err != nil {
		return ring, err
	}
	live, err := s.listKeys(ctx)
	if err != nil {
		return ring, err
	}
	keys := make(map[string]bool)
	for _, r := range live {
		if r.WAN {
			continue // these servers gossip with no other datacenter
		}
		ring.members += r.NumNodes
		ring.installed += r.Keys[ring.key]
		ring.primary += r.PrimaryKeys[ring.key]
		for key := range r.Keys {
			keys[key] = true
		}
		for key := range r.PrimaryKeys {
			if key != ring.key {
				ring.uses = key
			}
		}
	}
	delete(keys, ring.key)
	if len(keys) == 0 {
		return ring, nil
	}
	older, err := s.older(ctx, gossipToken)
	if err != nil {
		return ring, err
	}
	for _, g := range older {
		if key := g.Secret.RevealString(); keys[key] {
			ring.old = append(ring.old, oldKey{key, g.Number})
			delete(keys, key)
		}
	}
	ring.unknown = len(keys)
	return ring, nil
}

// listWait is how long members may take to answer for their keyrings. Each is asked
// by gossip, and a busy one may miss a question.
const listWait = 15 * time.Second

// listKeys asks every member, once for all who want to know at the same time.
func (s *session) listKeys(ctx context.Context) ([]*api.KeyringResponse, error) {
	answer := s.rings.DoChan("", func() (any, error) {
		var live []*api.KeyringResponse
		err := converge.Until(context.WithoutCancel(ctx), "every member to tell its gossip keys", listWait, func(ctx context.Context) (bool, string, error) {
			err := s.read(ctx, func(ctx context.Context, server *api.Client) (err error) {
				live, err = server.Operator().KeyringList((&api.QueryOptions{}).WithContext(ctx))
				return err
			})
			if err != nil && !busy(err) {
				err = converge.Permanent(err)
			}
			return err == nil, "", err
		})
		return live, err
	})
	select {
	case a := <-answer:
		live, _ := a.Val.([]*api.KeyringResponse)
		return live, a.Err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// busy reports whether members were too slow to answer for their keyrings.
func busy(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && strings.Contains(status.Body, "nodes reported success")
}

// away are the servers that gossip does not reach. Operations on the keyring pass
// them over and count only who is there, and a server that comes back starts with
// the keyring in its data folder, whatever key its configuration names: it would
// understand nobody any more, for good.
func (s *session) away(ctx context.Context) ([]string, error) {
	var members []*api.AgentMember
	err := s.read(ctx, func(ctx context.Context, server *api.Client) error {
		_, err := server.Raw().Query("/v1/agent/members", &members, (&api.QueryOptions{}).WithContext(ctx))
		return err
	})
	if err != nil {
		return nil, err
	}
	var away []string
	for i := range s.servers {
		name := s.cluster.server(i)
		if !slices.ContainsFunc(members, func(m *api.AgentMember) bool { return m.Name == name && m.Status == aliveMember }) {
			away = append(away, name)
		}
	}
	return away, nil
}

// aliveMember is what /v1/agent/members says of one that gossip reaches.
const aliveMember = 1

// waits says for whom the keyring has to be left as it is; "" for nobody.
func (r gossipRing) waits() string {
	if len(r.away) == 0 {
		return ""
	}
	return strings.Join(r.away, ", ") + ": gossip does not reach it, and it would come back without the new key"
}

// change is what keeps the newest key from being in use everywhere; nil for nothing.
func (r gossipRing) change() *converge.Change {
	if r.installed >= r.members && r.primary >= r.members {
		return nil
	}
	change := &converge.Change{Subject: "Consul gossip key", Action: converge.Update, Note: fmt.Sprintf("%d of %d members have it, %d use it", r.installed, r.members, r.primary)}
	if r.uses != "" {
		change.Fields = []converge.Field{{Path: "primary", Old: r.name(r.uses), New: r.name(r.key)}}
	}
	return change
}

func (r gossipRing) name(key string) string {
	if key == r.key {
		return fmt.Sprintf("generation %d", r.number)
	}
	if i := slices.IndexFunc(r.old, func(o oldKey) bool { return o.key == key }); i >= 0 {
		return fmt.Sprintf("generation %d", r.old[i].number)
	}
	return "a key that is not of this environment"
}

// strangers tells of keys that others installed. They are left: who uses them is
// not known here.
func (r gossipRing) strangers() []string {
	if r.unknown == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the gossip keyring holds keys that are not of this environment: %d; `consul keyring -list` shows them, `consul keyring -remove` takes them out", r.unknown)}
}
