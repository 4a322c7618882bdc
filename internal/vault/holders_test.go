// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// apart is a Vault of two replicas whose three holders have a share each, two of
// which open it. It is initialised and sealed.
func (g *ground) apart(t *testing.T) (*world, *Vault) {
	t.Helper()
	w := g.newWorld(t, 2)
	w.Holders = []HolderRef{{"alice", 1}, {"bob", 1}, {"carol", 1}}
	v := w.open(t)
	var need *custody.NeedHolders
	if _, err := run(t.Context(), v); !errors.As(err, &need) {
		t.Fatalf("%v, want that others have to come", err)
	}
	return w, v
}

// as opens the world's Vault with the identities of these people.
func (w *world) as(t *testing.T, people ...string) *Vault {
	t.Helper()
	v := w.open(t)
	escrow, err := v.cfg.Escrow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	escrow.Identities = nil
	for _, name := range people {
		id, err := w.identity(name)
		if err != nil {
			t.Fatal(err)
		}
		escrow.Identities = append(escrow.Identities, id)
	}
	return v
}

// sealedShare is what the bucket keeps for a holder, openShare what is in it.
func (w *world) sealedShare(t *testing.T, holder string) []byte {
	t.Helper()
	for _, key := range w.bucket().keys(t) {
		if strings.HasSuffix(key, "/"+holder+"-1.age") {
			data, _, err := w.bucket().Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	t.Fatalf("no share of %s", holder)
	return nil
}

func (w *world) openShare(t *testing.T, holder string) []byte {
	t.Helper()
	id, err := w.identity(holder)
	if err != nil {
		t.Fatal(err)
	}
	share, err := secret.Open(w.sealedShare(t, holder), []secret.Identity{id})
	if err != nil {
		t.Fatal(err)
	}
	return share.Reveal()
}

func mustHand(t *testing.T, v *Vault) *custody.Hand {
	t.Helper()
	h, err := v.Hand(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Wipe)
	return h
}

// testHolderCommands goes through the days of three holders: they confirm, they
// unseal together, each from where they are, and they make a root token.
func testHolderCommands(t *testing.T, g *ground) {
	t.Run("before the init", func(t *testing.T) { testNoShares(t, g) })
	w, _ := g.apart(t)
	t.Run("each confirms their own", func(t *testing.T) { testConfirm(t, w) })
	t.Run("too few", func(t *testing.T) { testTooFew(t, w) })
	t.Run("a threshold unseals every replica", func(t *testing.T) { testUnsealByHand(t, w) })
	t.Run("every pair does, each from elsewhere", func(t *testing.T) { testContribute(t, w) })
	t.Run("a share of another init", func(t *testing.T) { testWrongShare(t, w) })
	t.Run("detail", func(t *testing.T) { testDetail(t, w) })
	t.Run("a root token", func(t *testing.T) { testRoot(t, w) })
}

func testNoShares(t *testing.T, g *ground) {
	w := g.newWorld(t, 1)
	v := w.open(t)
	if _, err := v.Keys(t.Context()); !errors.Is(err, errNoShares) || hint.Of(err) == "" {
		t.Errorf("%v", err)
	}
	if _, err := v.VerifyShares(t.Context()); !errors.Is(err, errNoShares) {
		t.Errorf("%v", err)
	}
	if _, err := v.Sealed(t.Context()); err == nil || hint.Of(err) == "" {
		t.Errorf("%v", err)
	}
	if d, err := v.Detail(t.Context()); err != nil || d.Keys != nil || d.Healthy || d.Pods[0].Storage != "consul" {
		t.Errorf("%+v, %v", d, err)
	}
}

func testConfirm(t *testing.T, w *world) {
	for i, name := range []string{"alice", "bob", "carol"} {
		v := w.as(t, name)
		verified, err := v.VerifyShares(t.Context())
		if err != nil || len(verified) != 1 || verified[0].Holder != name || verified[0].Confirmed.IsZero() {
			t.Fatalf("%+v, %v", verified, err)
		}
		keys, err := v.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		names, of := keys.Confirmed()
		if len(names) != i+1 || of != 3 || keys.Threshold != 2 {
			t.Errorf("%v of %d have confirmed", names, of)
		}
		if status, err := v.Status(t.Context()); err != nil || !slices.Equal(status.Confirmed, names) {
			t.Errorf("status says %v, %v", status.Confirmed, err)
		}
	}
}

func testTooFew(t *testing.T, w *world) {
	v := w.as(t, "bob")
	h := mustHand(t, v)
	var need *custody.NeedHolders
	if err := v.Unseal(t.Context(), h); !errors.As(err, &need) || !slices.Equal(need.Names, []string{"alice", "carol"}) || need.ExitCode() != 3 {
		t.Errorf("%v", err)
	}
	if err := v.WithRoot(t.Context(), h, Emergency{TTL: time.Minute}, nil); !errors.As(err, &need) {
		t.Errorf("%v", err)
	}
	if d, err := v.Detail(t.Context()); err != nil || d.Pods[0].Given+d.Pods[1].Given != 0 {
		t.Errorf("a share was given: %+v, %v", d, err)
	}
}

func testUnsealByHand(t *testing.T, w *world) {
	v := w.as(t, "bob")
	h := mustHand(t, v)
	if whose, added, err := h.Add(t.Context(), w.openShare(t, "carol")); err != nil || whose != "carol" || !added {
		t.Fatalf("%s, %v, %v", whose, added, err)
	}
	if err := v.Unseal(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if sealed, err := v.Sealed(t.Context()); err != nil || len(sealed) > 0 {
		t.Errorf("%v are sealed, %v", sealed, err)
	}
	if _, err := run(t.Context(), w.open(t)); err != nil { // alice's run configures it
		t.Fatal(err)
	}
	w.mustServe(t)
}

// restart seals every replica.
func (w *world) restart() {
	for n := range w.Ports {
		w.servers[n].End()
		w.start(w.owner, n)
	}
}

func testContribute(t *testing.T, w *world) {
	for _, pair := range [][2]string{{"alice", "bob"}, {"bob", "carol"}, {"carol", "alice"}} {
		w.restart()
		first, second := w.as(t, pair[0]), w.as(t, pair[1])
		for range 2 { // the same share does not count twice
			if missing, err := first.Contribute(t.Context(), mustHand(t, first)); err != nil || missing != 1 {
				t.Fatalf("%s: %d missing, %v", pair[0], missing, err)
			}
		}
		if missing, err := second.Contribute(t.Context(), mustHand(t, second)); err != nil || missing != 0 {
			t.Fatalf("%s: %d missing, %v", pair[1], missing, err)
		}
		if sealed, err := second.Sealed(t.Context()); err != nil || len(sealed) > 0 {
			t.Errorf("%v: %v are sealed, %v", pair, sealed, err)
		}
	}
}

func testWrongShare(t *testing.T, w *world) {
	w.restart()
	wrong := slices.Repeat([]byte{9}, 33)
	v := w.as(t, "alice")
	h := mustHand(t, v)
	if _, _, err := h.Add(t.Context(), []byte(hex.EncodeToString(wrong))); err == nil || hint.Of(err) == "" {
		t.Errorf("%v", err)
	}
	// An init without receipts: only Vault can tell, and says so.
	old := *w
	old.Dir = t.TempDir()
	if err := os.CopyFS(old.Dir, os.DirFS(w.Dir)); err != nil {
		t.Fatal(err)
	}
	for _, key := range old.bucket().keys(t) {
		if strings.HasSuffix(key, ".receipt.json") {
			if err := old.bucket().Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		if err := os.Chmod(filepath.Join(old.Dir, name, "identity.txt"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v = old.as(t, "alice")
	h = mustHand(t, v)
	if _, _, err := h.Add(t.Context(), []byte(base64.StdEncoding.EncodeToString(wrong))); err != nil {
		t.Fatal(err)
	}
	if err := v.Unseal(t.Context(), h); !isStatus(err, http.StatusBadRequest) || hint.Of(err) == "" {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
	if _, err := v.Contribute(t.Context(), h); !isStatus(err, http.StatusBadRequest) || hint.Of(err) == "" {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
	both := w.as(t, "alice", "bob")
	if err := both.Unseal(t.Context(), mustHand(t, both)); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
}

func testDetail(t *testing.T, w *world) {
	d, err := w.as(t).Detail(t.Context()) // no identity is needed to look
	if err != nil || !d.Healthy || d.Active == "" || len(d.Pods) != 2 || d.Keys == nil {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, p := range d.Pods {
		if p.Storage != "consul" || p.Seal != "shamir" || p.Version == "" || p.Threshold != 2 {
			t.Errorf("%+v", p)
		}
	}
}

// testRoot makes root tokens and looks whether any is left.
func testRoot(t *testing.T, w *world) {
	v := w.as(t, "alice", "bob")
	before := w.roots(t)
	var used Root
	var s session
	fails := errors.New("the command ended with 7")
	ctx, cancel := context.WithCancel(t.Context())
	err := v.WithRoot(ctx, mustHand(t, v), Emergency{TTL: time.Minute}, func(ctx context.Context, r Root) error {
		used = Root{Token: secret.NewString(r.Token.RevealString()), Address: r.Address}
		c := through(t, w, r.Address)
		s = session{c, used.Token}
		var out struct {
			Data struct {
				Policies []string `json:"policies"`
				TTL      int      `json:"ttl"`
				Orphan   bool     `json:"orphan"`
			} `json:"data"`
		}
		if err := s.do(ctx, request{method: http.MethodGet, path: "auth/token/lookup-self", token: s.token}, &out); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out.Data.Policies, []string{"root"}) || out.Data.TTL < 1 || out.Data.TTL > 60 || !out.Data.Orphan {
			t.Errorf("the token is %+v", out.Data)
		}
		if n := w.roots(t); n != before+1 {
			t.Errorf("%d root tokens live, want one more than %d", n, before)
		}
		cancel() // Ctrl-C
		return fails
	})
	if !errors.Is(err, fails) {
		t.Errorf("%v", err)
	}
	direct := session{w.peerOf(t, 0), used.Token}
	if alive, err := direct.alive(t.Context()); err != nil || alive {
		t.Errorf("the token lives on: %v, %v", alive, err)
	}
	if n := w.roots(t); n != before {
		t.Errorf("%d root tokens live, want %d", n, before)
	}
	if _, err := through(t, w, used.Address).health(t.Context()); err == nil {
		t.Error("the way to Vault is still open")
	}

	t.Run("somebody else's attempt is left alone", func(t *testing.T) {
		active := w.activePeer(t)
		a, err := active.beginRoot(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		never := func(context.Context, Root) error { t.Error("used"); return nil }
		if err := v.WithRoot(t.Context(), mustHand(t, v), Emergency{TTL: time.Minute}, never); !errors.Is(err, ErrOtherAttempt) || hint.Of(err) == "" || !strings.Contains(err.Error(), a.Nonce) {
			t.Errorf("%v", err)
		}
		var now rootAttempt
		if err := active.do(t.Context(), request{method: http.MethodGet, path: attemptPath}, &now); err != nil || now.Nonce != a.Nonce {
			t.Errorf("the attempt is %q, want %q (%v)", now.Nonce, a.Nonce, err)
		}
		done := false
		if err := v.WithRoot(t.Context(), mustHand(t, v), Emergency{TTL: time.Minute, CancelOther: true}, func(context.Context, Root) error { done = true; return nil }); err != nil || !done {
			t.Errorf("%v", err)
		}
	})
	t.Run("an attempt that fails is ended", func(t *testing.T) {
		active := w.activePeer(t)
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := v.WithRoot(cancelled, mustHand(t, v), Emergency{TTL: time.Minute}, nil); err == nil {
			t.Error("a cancelled run made a token")
		}
		if _, err := active.generateRoot(t.Context(), &custody.Hand{}, false); err == nil {
			t.Error("no share made a token")
		}
		var now rootAttempt
		if err := active.do(t.Context(), request{method: http.MethodGet, path: attemptPath}, &now); err != nil || now.Started {
			t.Errorf("an attempt is left: %+v, %v", now, err)
		}
		if n := w.roots(t); n != before {
			t.Errorf("%d root tokens live, want %d", n, before)
		}
	})
}

// through is a client over the address that a command is given.
func through(t *testing.T, w *world, address string) *client {
	t.Helper()
	c, err := newClient([]byte(w.CA), dialer(strings.TrimPrefix(address, "https://")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func (w *world) activePeer(t *testing.T) *client {
	t.Helper()
	for n := range w.Ports {
		c := w.peerOf(t, n)
		if state, _ := c.health(t.Context()); state == Active {
			return c
		}
	}
	t.Fatal("no replica is active")
	return nil
}

// roots counts the live tokens that have the policy root. It looks with a role
// that is made for it, whose own tokens have not.
func (w *world) roots(t *testing.T) (n int) {
	t.Helper()
	peer := w.activePeer(t)
	own, err := w.open(t).login(t.Context(), peer)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = own.end(t.Context()) }()
	for path, body := range map[string]any{
		"sys/policies/acl/looker":     map[string]string{"policy": `path "auth/token/*" { capabilities = ["list", "read", "update", "sudo"] }`},
		"auth/kubernetes/role/looker": map[string]any{"bound_service_account_names": "web", "bound_service_account_namespaces": "demo", "token_policies": "looker", "audience": audience},
	} {
		if err := own.do(t.Context(), request{method: http.MethodPost, path: path, token: own.token, body: body}, nil); err != nil {
			t.Fatal(err)
		}
	}
	var in struct {
		Auth struct {
			Token rawText `json:"client_token"`
		} `json:"auth"`
	}
	jwt := podToken(t, w.ground.kubernetes(t), "demo", "web")
	if err := peer.do(t.Context(), request{method: http.MethodPost, path: "auth/kubernetes/login", body: map[string]string{"role": "looker", "jwt": jwt}}, &in); err != nil {
		t.Fatal(err)
	}
	looker := session{peer, secret.NewValue(in.Auth.Token)}
	defer func() { _ = looker.end(t.Context()) }()
	var all struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	if err := looker.do(t.Context(), request{method: "LIST", path: "auth/token/accessors", token: looker.token}, &all); err != nil {
		t.Fatal(err)
	}
	for _, accessor := range all.Data.Keys {
		var one struct {
			Data struct {
				Policies []string `json:"policies"`
			} `json:"data"`
		}
		err := looker.do(t.Context(), request{method: http.MethodPost, path: "auth/token/lookup-accessor", token: looker.token, body: map[string]string{"accessor": accessor}}, &one)
		if err == nil && slices.Contains(one.Data.Policies, "root") { // an error: it has ended meanwhile
			n++
		}
	}
	return n
}

func dialer(address string) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", address) }
}
