// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/secret"
)

// A scenario is work that is cut off at its boundaries. After each cut a new run
// ends in the same healthy Consul.
type scenario struct {
	// prepare makes the ground for one round.
	prepare func(t *testing.T, c *crashes) ground
	// run is what the process does that is cut off.
	run func(ctx context.Context, r *crashRun) error
	// places are where it is cut, by what a whole run has; every is 1 for all of
	// them and more for a sample.
	places func(puts, writes, every int) []string
	// beside is a second operator, whose whole run goes on at the same time.
	beside bool
	// survives says that the cut is none of the process's end: it goes on and
	// comes to the end itself.
	survives bool
	// check goes on after the cut and looks at what came of it.
	check func(t *testing.T, c *crashes, g ground)
}

// scenarios by name. Another one is another entry.
func scenarios() map[string]scenario {
	hook := scenario{
		prepare: func(t *testing.T, c *crashes) ground { return c.unmade(t) },
		run:     func(ctx context.Context, r *crashRun) error { return r.converge(ctx) },
		places:  wire("wire"),
		check:   func(t *testing.T, c *crashes, g ground) { c.whole(t, g, c.world) },
	}
	lost, two := hook, hook
	lost.places, lost.survives = wire("cut"), true
	two.beside = true
	token, gossip := hook, hook
	token.prepare = func(t *testing.T, c *crashes) ground { return c.renewed(t, "consul/bootstrap") }
	gossip.prepare = func(t *testing.T, c *crashes) ground { return c.renewed(t, "consul/gossip") }
	gossip.check = func(t *testing.T, c *crashes, g ground) { c.whole(t, g, c.world); c.oneGossipKey(t) }
	return map[string]scenario{
		"the rotation of the gossip key is killed":       gossip,
		"the rotation of the management token is killed": token,
		"the hook is killed":                             hook,
		"an answer is lost":                              lost,
		"one of two operators is killed":                 two,
		"the making of the tokens is killed": {
			prepare: func(t *testing.T, _ *crashes) ground { return newGround(t) },
			run:     func(ctx context.Context, r *crashRun) error { return r.keeper.Make(ctx, r.specs) },
			places: func(puts, _, every int) []string {
				var all []string
				for n := 1; n <= puts; n++ { // servers are started for each: a sample is two
					if every == 1 || n == puts/2 {
						all = append(all, fmt.Sprintf("before %d", n))
					}
				}
				return append(all, fmt.Sprintf("after %d", puts))
			},
			check: func(t *testing.T, c *crashes, g ground) { c.fromTokens(t, g) },
		},
	}
}

func wire(how string) func(_, writes, every int) []string {
	return func(_, writes, every int) []string {
		var all []string
		for n := 1; n <= writes; n += every {
			all = append(all, fmt.Sprintf("%s %d", how, n))
		}
		return all
	}
}

// crashes is what the rounds share: servers with the tokens of a bucket.
type crashes struct {
	ground ground
	world  *world
	spare  *api.Client // another management token, which no run knows
}

// TestCrashes kills runs at a sample of their boundaries, or with
// CLUSTERUP_CRASH=all at every one.
func TestCrashes(t *testing.T) {
	t.Parallel()
	c := &crashes{ground: newGround(t)}
	r, err := c.ground.open(c.ground.bucket(), nil)
	must(t, err)
	must(t, r.keeper.Make(t.Context(), r.specs))
	c.world = prepareWith(t, c.ground.load(t))
	for i := range servers {
		c.world.start(t, i)
		c.ground.Addresses = append(c.ground.Addresses, c.world.address(i))
	}
	c.ground.mustConverge(t)
	c.spare = spareManagement(t, c.world)
	all := scenarios()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) { c.rounds(t, name, all[name]) })
	}
}

func (c *crashes) rounds(t *testing.T, name string, s scenario) {
	g := s.prepare(t, c)
	_, said := g.child(t, name, "none 0")
	var puts, writes int
	if _, err := fmt.Sscanf(said, "%d puts, %d writes", &puts, &writes); err != nil {
		t.Fatalf("%q: %v", said, err)
	}
	every := max(1, writes/5, puts/2)
	if os.Getenv("CLUSTERUP_CRASH") == "all" {
		every = 1
	}
	places, kills := s.places(puts, writes, every), 0
	for _, where := range places {
		ok := t.Run(where, func(t *testing.T) {
			g := s.prepare(t, c)
			var others chan string
			if s.beside {
				others = make(chan string, 1)
				go func() {
					_, said := g.child(t, name, "none 0")
					others <- said
				}()
			}
			killed, out := g.child(t, name, where)
			if killed {
				kills++
			}
			// How often a run writes varies: one that came through is as good.
			if !killed && !s.survives && !strings.HasPrefix(where, "wire") {
				t.Errorf("the run was not killed: %s", out)
			}
			if others != nil {
				<-others
			}
			s.check(t, c, g)
		})
		if !ok {
			return
		}
	}
	t.Logf("%s: %d boundaries of %d writes to the bucket and %d to Consul, %d kills: all healthy", name, len(places), puts, writes, kills)
}

// child runs a scenario in a process of its own and reports whether it was killed.
func (g ground) child(t *testing.T, name, where string) (killed bool, output string) {
	t.Helper()
	data, err := json.Marshal(g)
	must(t, err)
	path := filepath.Join(t.TempDir(), "ground.json")
	must(t, os.WriteFile(path, data, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), worldEnv+"="+path, doEnv+"="+name, killEnv+"="+where)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() && ctx.Err() == nil {
		return true, out.String()
	}
	if err != nil {
		t.Errorf("%s, %s: %v\n%s", name, where, err, out.String())
	}
	return false, out.String()
}

func newGround(t *testing.T) ground {
	t.Helper()
	g := ground{Dir: t.TempDir()}
	must(t, os.MkdirAll(g.bucket().dir, 0o700))
	_, err := secret.CreateIdentity(g.identity())
	must(t, err)
	return g
}

func (g ground) load(t *testing.T) *secret.Set {
	t.Helper()
	r, err := g.open(g.bucket(), nil)
	must(t, err)
	set, err := r.keeper.Load(t.Context(), r.specs)
	must(t, err)
	return set
}

// mustConverge is a new run, which comes to the end, and after which nothing is left.
func (g ground) mustConverge(t *testing.T) {
	t.Helper()
	r, err := g.open(g.bucket(), nil)
	must(t, err)
	must(t, r.converge(t.Context()))
	for _, item := range r.steps() {
		plan, err := item.Step.Plan(t.Context())
		must(t, err)
		if !plan.Empty() {
			t.Errorf("%s: something is left to do: %+v", item.Step.Name(), plan)
		}
	}
	r.cluster.Close()
}

// unmade is the shared ground with servers that were never bootstrapped.
func (c *crashes) unmade(t *testing.T) ground {
	t.Helper()
	unbootstrap(t, c.world, c.spare)
	for _, id := range []string{"app/consul", "consul/server-agent"} {
		accessor, _ := c.world.tokens.Public(id)
		if _, err := c.spare.ACL().TokenDelete(accessor, nil); err != nil && !strings.Contains(err.Error(), "does not exist") {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"app", "server-agent"} {
		policy, _, err := c.spare.ACL().PolicyReadByName(name, nil)
		must(t, err)
		_, err = c.spare.ACL().PolicyDelete(policy.ID, nil)
		must(t, err)
	}
	return c.ground
}

// renewed is the shared ground, whole, with one more generation of a token.
func (c *crashes) renewed(t *testing.T, id string) ground {
	t.Helper()
	c.ground.mustConverge(t)
	r, err := c.ground.open(c.ground.bucket(), nil)
	must(t, err)
	must(t, r.keeper.Retire(t.Context(), id)) // those of earlier rounds
	must(t, r.keeper.Renew(t.Context(), r.spec(id)))
	c.world.tokens = c.ground.load(t)
	return c.ground
}

// oneGossipKey looks from outside: every member has the newest key and no other.
func (c *crashes) oneGossipKey(t *testing.T) {
	t.Helper()
	token, _ := c.world.tokens.Secret("consul/bootstrap")
	key, _ := c.world.tokens.Secret("consul/gossip")
	rings, err := c.world.client(t, token.RevealString()).Operator().KeyringList(nil)
	must(t, err)
	for _, ring := range rings {
		if len(ring.Keys) != 1 || ring.Keys[key.RevealString()] != ring.NumNodes || ring.PrimaryKeys[key.RevealString()] != ring.NumNodes {
			t.Errorf("%d keys, the newest on %d of %d members", len(ring.Keys), ring.Keys[key.RevealString()], ring.NumNodes)
		}
	}
}

// fromTokens makes the rest of the tokens, each once, and servers with them.
func (c *crashes) fromTokens(t *testing.T, g ground) {
	t.Helper()
	r, err := g.open(g.bucket(), nil)
	must(t, err)
	before, err := g.bucket().List(t.Context(), "")
	must(t, err)
	must(t, r.keeper.Make(t.Context(), r.specs))
	keys, err := g.bucket().List(t.Context(), "")
	must(t, err)
	if len(keys) != len(r.specs) {
		t.Errorf("%d tokens, want %d: %v", len(keys), len(r.specs), keys)
	}
	for _, key := range before {
		if !slices.Contains(keys, key) {
			t.Errorf("%s is gone", key)
		}
	}
	w := prepareWith(t, g.load(t))
	for i := range servers {
		w.start(t, i)
		g.Addresses = append(g.Addresses, w.address(i))
	}
	c.whole(t, g, w)
	for i := range servers {
		w.kill(i)
	}
}

// whole runs once more and looks from outside: three voters that are healthy, one
// management token besides the test's own, each chosen token once and as chosen.
func (c *crashes) whole(t *testing.T, g ground, w *world) {
	t.Helper()
	g.mustConverge(t)
	token, _ := w.tokens.Secret("consul/bootstrap")
	client := w.client(t, token.RevealString())
	list, _, err := client.ACL().TokenList(nil)
	must(t, err)
	managers, times := 0, make(map[string]int)
	for _, entry := range list {
		times[entry.AccessorID]++
		if slices.ContainsFunc(entry.Policies, func(p *api.ACLTokenPolicyLink) bool { return p.Name == "global-management" }) && entry.SecretID != spareSecret {
			managers++
			if entry.SecretID != token.RevealString() {
				t.Error("another token manages Consul")
			}
		}
	}
	if managers != 1 {
		t.Errorf("%d management tokens", managers)
	}
	for _, id := range []string{"app/consul", "consul/server-agent"} {
		accessor, _ := w.tokens.Public(id)
		chosen, _ := w.tokens.Secret(id)
		live, _, err := client.ACL().TokenRead(accessor, nil)
		must(t, err)
		if times[accessor] != 1 || live.SecretID != chosen.RevealString() {
			t.Errorf("%s is there %d times, or not as it was chosen", id, times[accessor])
		}
	}
	mustBeWhole(t, w.cluster(t))
}
