// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/converge/convergetest"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// TestVault runs against real Vaults on a real Consul, which log in through a
// real Kubernetes API server.
func TestVault(t *testing.T) {
	g := newGround(t)
	t.Run("three replicas from nothing to configured", func(t *testing.T) { testFromNothing(t, g) })
	t.Run("drift is named and corrected", func(t *testing.T) { testDrift(t, g) })
	t.Run("what values and add-ons ask for is held in place", func(t *testing.T) { testConfigured(t, g) })
	t.Run("people log in through a provider", func(t *testing.T) { testOIDC(t, g) })
	t.Run("certificates are issued to whom asks for them, and renewed", func(t *testing.T) { testRenewal(t, g) })
	t.Run("pods of an older revision are replaced one at a time", func(t *testing.T) { testRollout(t, g) })
	t.Run("a foreign vault is refused", func(t *testing.T) { testForeign(t, g) })
	t.Run("lost storage is refused", func(t *testing.T) { testGone(t, g) })
	t.Run("storage that outlives the environment is taken up", func(t *testing.T) { testAdopt(t, g) })
	t.Run("shares of others are asked for by name", func(t *testing.T) { testHolders(t, g) })
	t.Run("what holders do", func(t *testing.T) { testHolderCommands(t, g) })
	t.Run("a lost answer is said to be lost", func(t *testing.T) { testLostAnswer(t, g) })
	t.Run("a lost init is begun anew when that is asked for", func(t *testing.T) { testReinitialise(t, g) })
	t.Run("an init by somebody else is not taken for a lost one", func(t *testing.T) { testOvertaken(t, g) })
	t.Run("a cancelled run keeps the answer", func(t *testing.T) { testCancelled(t, g) })
	t.Run("a bucket that loses things is found out in time", func(t *testing.T) { testUnreadable(t, g) })
	t.Run("half of an audit device is got rid of", func(t *testing.T) { testStuck(t, g) })
	t.Run("the steps keep the contract of a step", func(t *testing.T) { testConformance(t, g) })
	t.Run("new shares for new holders", func(t *testing.T) { testRekey(t, g) })
	t.Run("a storage that is brought back takes the shares of its day", func(t *testing.T) { testBroughtBack(t, g) })
	t.Run("a killed rekey is decided", func(t *testing.T) { testRekeyCrashes(t, g) })
	t.Run("opened by another Vault", func(t *testing.T) { testTransit(t, g) })
	t.Run("on raft", func(t *testing.T) { testRaft(t, g) })
	t.Run("brought back to a snapshot on raft", func(t *testing.T) { testSnapshot(t, g) })
	t.Run("brought back after the loss of all storage", func(t *testing.T) { testRevive(t, g) })
	t.Run("holders with PGP keys", func(t *testing.T) { testPGP(t, g) })
	t.Run("a killed run goes on", func(t *testing.T) { testCrashes(t, g) })
}

func testFromNothing(t *testing.T, g *ground) {
	w := g.newWorld(t, 3)
	v := w.open(t)
	for _, step := range v.Steps() {
		plan, err := step.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if now := slices.Contains([]string{"vault/pods", "vault/init", "vault/rollout"}, step.Name()); now != (plan.After == "") {
			t.Errorf("%s: After = %q before anything is done", step.Name(), plan.After)
		}
	}
	var said strings.Builder
	ctx := converge.WithProgress(t.Context(), func(m string) { said.WriteString(m + "\n") })
	start := time.Now()
	changes, err := run(ctx, v)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("from nothing in %v: %d changes", time.Since(start), len(changes))
	w.mustServe(t)

	start = time.Now()
	if changes, err := run(t.Context(), v); err != nil || len(changes) > 0 {
		t.Fatalf("second run: %v, %v", changes, err)
	}
	t.Logf("nothing to do in %v", time.Since(start))

	status, err := v.Status(t.Context())
	if err != nil || status.Shares["alice"] != 3 || status.Threshold != 2 || len(status.OtherKeys) > 0 {
		t.Errorf("status %+v, %v", status, err)
	}
	mustHideShares(t, w, said.String())
	testReadThroughAuth(t, w)

	t.Run("other holders need a rekey", func(t *testing.T) {
		other := *w
		other.Threshold = 3
		if _, err := run(t.Context(), other.open(t)); !errors.Is(err, ErrHolders) || hint.Of(err) == "" {
			t.Errorf("%v (hint %q)", err, hint.Of(err))
		}
	})
	t.Run("a holder with another key is named", func(t *testing.T) {
		bob, err := w.identity("bob")
		if err != nil {
			t.Fatal(err)
		}
		other := w.open(t)
		other.cfg.Holders[0].Recipient = bob.Recipient()
		if status, err := other.Status(t.Context()); err != nil || !slices.Equal(status.OtherKeys, []string{"alice"}) {
			t.Errorf("%v, %v", status.OtherKeys, err)
		}
	})
	t.Run("a replica that comes back is unsealed", func(t *testing.T) {
		w.servers[1].End()
		w.start(t, 1)
		changes, err := run(t.Context(), v)
		if err != nil || len(changes) != 1 {
			t.Fatalf("%v, %v", changes, err)
		}
		w.mustServe(t)
	})
}

// mustHideShares opens the shares as their holder would and looks for them
// wherever they must not be.
func mustHideShares(t *testing.T, w *world, said string) {
	t.Helper()
	id, err := w.identity("alice")
	if err != nil {
		t.Fatal(err)
	}
	haystacks := map[string]string{"progress": said}
	var canaries []string
	for _, key := range w.bucket().keys(t) {
		data, _, err := w.bucket().Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		haystacks[key] = string(data)
		if strings.HasSuffix(key, ".age") {
			share, err := secret.Open(data, []secret.Identity{id})
			if err != nil {
				t.Fatal(err)
			}
			canaries = append(canaries, share.RevealString())
		}
	}
	if len(canaries) != 3 {
		t.Fatalf("%d shares in the bucket", len(canaries))
	}
	for _, canary := range canaries {
		for where, text := range haystacks {
			if strings.Contains(text, canary) {
				t.Errorf("a share lies open in %s", where)
			}
		}
	}
}

// testReadThroughAuth writes and reads a secret as a pod with the role demo.
func testReadThroughAuth(t *testing.T, w *world) {
	t.Helper()
	c := w.peerOf(t, 2)
	jwt := podToken(t, w.ground.kubernetes(t), "demo", "web")
	var out struct {
		Auth struct {
			Token rawText `json:"client_token"`
		} `json:"auth"`
	}
	err := c.do(t.Context(), request{method: http.MethodPost, path: "auth/kubernetes/login", body: map[string]string{"role": "demo", "jwt": jwt}}, &out)
	if err != nil {
		t.Fatal(err)
	}
	s := session{c, secret.NewValue(out.Auth.Token)}
	body := map[string]any{"data": map[string]string{"colour": "green"}}
	if err := s.do(t.Context(), request{method: http.MethodPost, path: "secret/data/app/one", token: s.token, body: body}, nil); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Data struct {
			Data map[string]string `json:"data"`
		} `json:"data"`
	}
	if err := s.do(t.Context(), request{method: http.MethodGet, path: "secret/data/app/one", token: s.token}, &got); err != nil {
		t.Fatal(err)
	}
	if got.Data.Data["colour"] != "green" {
		t.Errorf("read %v", got)
	}
	err = s.do(t.Context(), request{method: http.MethodGet, path: "secret/data/other", token: s.token}, nil)
	if !isStatus(err, http.StatusForbidden) {
		t.Errorf("the policy app lets read other paths: %v", err)
	}
}

func testDrift(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	v := w.open(t)
	if _, err := run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	c := w.peerOf(t, 0)
	own, err := v.login(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	write := func(method, path string, body any) {
		t.Helper()
		if err := own.do(t.Context(), request{method: method, path: path, token: own.token, body: body}, nil); err != nil {
			t.Fatal(err)
		}
	}
	write(http.MethodPost, "sys/policies/acl/app", map[string]string{"policy": `path "secret/*" { capabilities = ["read"] }`})
	write(http.MethodPost, "auth/kubernetes/role/demo", map[string]any{"bound_service_account_names": "*", "token_ttl": 7})
	write(http.MethodDelete, "sys/audit/stdout", nil)
	write(http.MethodPost, "sys/policies/acl/somebody", map[string]string{"policy": `path "x/*" { capabilities = ["read"] }`})
	changes, err := run(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	var subjects []string
	for _, c := range changes {
		subjects = append(subjects, string(c.Action)+" "+c.Subject)
	}
	want := "create audit device stdout,update policy app,update role demo"
	if got := strings.Join(subjects, ","); got != want {
		t.Errorf("corrected %s, want %s", got, want)
	}
	w.mustServe(t)
	if err := own.do(t.Context(), request{method: http.MethodGet, path: "sys/policies/acl/somebody", token: own.token}, nil); err != nil {
		t.Errorf("what others made is gone: %v", err)
	}
	if err := own.end(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func testForeign(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	w.initByHand(t).Wipe()
	_, err := run(t.Context(), w.open(t))
	if !errors.Is(err, ErrForeign) || hint.Of(err) == "" {
		t.Fatalf("%v (hint %q)", err, hint.Of(err))
	}
	if keys := w.bucket().keys(t); len(keys) > 0 {
		t.Errorf("something was written: %v", keys)
	}
}

func testGone(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	if _, err := run(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	w.path += "-other"
	w.servers[0].End()
	w.start(t, 0)
	if _, err := run(t.Context(), w.open(t)); !errors.Is(err, ErrGone) || hint.Of(err) == "" {
		t.Fatalf("%v (hint %q)", err, hint.Of(err))
	}
	// Once the environment is destroyed, another Vault may begin.
	v := w.open(t)
	if err := v.step(t, "vault/init").Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
	if sealed, receipts := w.dealt(t); sealed != 6 || receipts != 6 {
		t.Errorf("%d shares and %d receipts are kept, want those of both", sealed, receipts)
	}
}

func testAdopt(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	v := w.open(t)
	if _, err := run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := v.step(t, "vault/init").Destroy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.servers[0].End()
	w.start(t, 0)
	if _, err := run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
}

func testHolders(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	w.Holders = []HolderRef{{"alice", 1}, {"bob", 1}, {"carol", 1}}
	v := w.open(t)
	_, err := run(t.Context(), v)
	var need *custody.NeedHolders
	if !errors.As(err, &need) || strings.Join(need.Names, ",") != "bob,carol" {
		t.Fatalf("%v", err)
	}
	// Nothing is lost by it: bob comes with his own, and holds alice's too.
	alice, err := w.identity("alice")
	if err != nil {
		t.Fatal(err)
	}
	bob, err := w.identity("bob")
	if err != nil {
		t.Fatal(err)
	}
	escrow, err := v.cfg.Escrow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	escrow.Identities = []secret.Identity{alice, bob}
	if _, err := run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
}

func testConformance(t *testing.T, g *ground) {
	for n, name := range []string{"vault/pods", "vault/init", "vault/unseal", "vault/rollout", "vault/configure"} {
		t.Run(name, func(t *testing.T) {
			w := g.newWorld(t, 1)
			before := w.open(t)
			for _, step := range before.Steps()[:n] {
				plan, err := step.Plan(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if err := step.Apply(t.Context(), plan); err != nil {
					t.Fatal(err)
				}
			}
			if name == "vault/pods" || name == "vault/rollout" {
				w.replace = func(n int) { w.servers[n].End(); w.start(t, n) }
				w.outdated = map[string]bool{w.uid(0): true}
				w.stopped = map[string]bool{w.uid(0): name == "vault/pods"}
			}
			convergetest.Run(t, func() converge.Step { return w.open(t).Steps()[n] })
		})
	}
}

// dealt counts the sealed shares and the receipts in the bucket.
func (w *world) dealt(t *testing.T) (sealed, receipts int) {
	t.Helper()
	for _, key := range w.bucket().keys(t) {
		switch {
		case !strings.HasPrefix(key, "keys/"):
		case strings.HasSuffix(key, ".age"):
			sealed++
		case strings.HasSuffix(key, ".receipt.json"):
			receipts++
		}
	}
	return sealed, receipts
}
