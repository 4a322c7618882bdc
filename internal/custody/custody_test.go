// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// memory is a bucket of a map.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func (m *memory) Get(_ context.Context, key string) ([]byte, store.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[key]
	if !ok {
		return nil, "", fmt.Errorf("read %s: %w", key, store.ErrNotFound)
	}
	return slices.Clone(data), "1", nil
}

func (m *memory) PutNew(_ context.Context, key string, data []byte) (store.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if is, ok := m.objects[key]; ok && !bytes.Equal(is, data) {
		return "", fmt.Errorf("write %s: %w", key, store.ErrExists)
	}
	m.objects[key] = slices.Clone(data)
	return "1", nil
}

func (m *memory) List(_ context.Context, prefix string) ([]store.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var entries []store.Entry
	for key := range m.objects {
		if strings.HasPrefix(key, prefix) {
			entries = append(entries, store.Entry{Key: key})
		}
	}
	slices.SortFunc(entries, func(a, b store.Entry) int { return strings.Compare(a.Key, b.Key) })
	return entries, nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

// people are identities by name.
type people map[string]secret.Identity

func newPeople(t *testing.T, names ...string) people {
	t.Helper()
	p := people{}
	for _, name := range names {
		id, err := secret.CreateIdentity(filepath.Join(t.TempDir(), name, "identity.txt"))
		if err != nil {
			t.Fatal(err)
		}
		p[name] = id
	}
	return p
}

func (p people) holder(name string, shares int) Holder {
	return Holder{Name: name, Recipient: p[name].Recipient(), Shares: shares}
}

// dealt is a bucket in which one init was carried through to Stored.
func dealt(t *testing.T, p people, threshold int, holders ...Holder) (*Escrow, Journal) {
	t.Helper()
	ctx := t.Context()
	e := &Escrow{Bucket: &memory{objects: map[string][]byte{}}, Runner: p.holder("alice", 0), Identities: []secret.Identity{p["alice"]}}
	j, err := e.Intend(ctx, Journal{}, holders, threshold)
	if err != nil {
		t.Fatal(err)
	}
	answer := &Answer{Root: secret.NewString("hvs.root-token-canary")}
	for _, h := range holders {
		for n := range h.Shares {
			answer.Shares = append(answer.Shares, secret.NewValue(fmt.Appendf(nil, "share-of-%s-number-%d", h.Name, n+1)))
		}
	}
	sealed, err := e.SealAnswer(j, holders, answer)
	if err != nil {
		t.Fatal(err)
	}
	answer.Wipe()
	for range 2 { // a put whose answer was lost is repeated
		if err := e.Keep(ctx, sealed); err != nil {
			t.Fatal(err)
		}
	}
	if j, err = e.Read(ctx); err != nil || !j.Answer || j.State != Intent {
		t.Fatalf("%+v, %v", j, err)
	}
	if j, err = e.Deal(ctx, j); err != nil {
		t.Fatal(err)
	}
	return e, j
}

// counted is how many stored shares each holder has.
func counted(ctx context.Context, e *Escrow, j Journal) (map[string]int, error) {
	shares, err := e.Register(ctx, j)
	counts := map[string]int{}
	for _, s := range shares {
		if !s.Missing {
			counts[s.Holder]++
		}
	}
	return counts, err
}

// TestDeal proves that each holder can open exactly their own shares, and that
// nothing lies open.
func TestDeal(t *testing.T) {
	p := newPeople(t, "alice", "bob", "jo-ann")
	e, j := dealt(t, p, 3, p.holder("alice", 2), p.holder("bob", 1), p.holder("jo-ann", 1))
	counts, err := counted(t.Context(), e, j)
	if err != nil || fmt.Sprint(counts) != "map[alice:2 bob:1 jo-ann:1]" {
		t.Errorf("%v, %v", counts, err)
	}
	for key, data := range e.Bucket.(*memory).objects {
		text := string(data) + key
		for _, canary := range []string{"share-of", "hvs.", base64.StdEncoding.EncodeToString([]byte("share-of-"))} {
			if strings.Contains(text, canary) {
				t.Errorf("%s holds %s in clear", key, canary)
			}
		}
		name, ok := strings.CutPrefix(key, keysPrefix+j.Nonce+"/")
		if !ok || !strings.HasSuffix(name, sealedSuffix) {
			continue
		}
		for who, id := range p {
			_, err := secret.Open(data, []secret.Identity{id})
			if own := strings.HasPrefix(name, who+"-"); own != (err == nil) {
				t.Errorf("%s opened by %s: %v", name, who, err)
			}
		}
	}
}

// TestOpen proves that who can open enough shares gets as many as the threshold,
// and who cannot is told who else has to come.
func TestOpen(t *testing.T) {
	p := newPeople(t, "alice", "bob", "carol", "mallory")
	e, j := dealt(t, p, 3, p.holder("alice", 2), p.holder("bob", 1), p.holder("carol", 1))
	for _, test := range []struct {
		who, need string
	}{
		{"alice bob", ""},
		{"alice carol", ""},
		{"alice bob carol", ""},
		{"alice", "1 more of the 3 key shares needed can only be opened by bob, carol"},
		{"bob carol", "1 more of the 3 key shares needed can only be opened by alice"},
		{"mallory", "3 more of the 3 key shares needed can only be opened by alice, bob, carol"},
	} {
		t.Run(test.who, func(t *testing.T) {
			mine := *e
			mine.Identities = nil
			for _, name := range strings.Fields(test.who) {
				mine.Identities = append(mine.Identities, p[name])
			}
			shares, err := mine.Open(t.Context(), j)
			var need *NeedHolders
			switch {
			case test.need != "":
				if !errors.As(err, &need) || err.Error() != test.need {
					t.Errorf("%v", err)
				}
			case err != nil || len(shares) != 3:
				t.Errorf("%d shares, %v", len(shares), err)
			default:
				for _, s := range shares {
					if !strings.HasPrefix(string(s.Reveal()), "share-of-") {
						t.Error("a share is not what it was")
					}
				}
			}
		})
	}
}

// TestSharesMissing proves that shares that are gone are not asked of anybody.
func TestSharesMissing(t *testing.T) {
	p := newPeople(t, "alice")
	e, j := dealt(t, p, 2, p.holder("alice", 3))
	for n := 1; n <= 2; n++ {
		if err := e.Bucket.Delete(t.Context(), place{nonce: j.Nonce, holder: "alice", n: n}.key(sealedSuffix)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := e.Open(t.Context(), j)
	if err == nil || !strings.Contains(err.Error(), "holds 1 key shares") {
		t.Errorf("%v", err)
	}
}

// TestDealAgain proves that a deal that was cut off is completed, and one that
// was tampered with is refused.
func TestDealAgain(t *testing.T) {
	p := newPeople(t, "alice")
	e, j := dealt(t, p, 2, p.holder("alice", 3))
	bucket := e.Bucket.(*memory)
	ctx := t.Context()
	delete(bucket.objects, recordKey(j.Nonce, 2, Stored))
	delete(bucket.objects, place{nonce: j.Nonce, holder: "alice", n: 2}.key(sealedSuffix))
	again, err := e.Read(ctx)
	if err != nil || again.State != Intent {
		t.Fatalf("%+v, %v", again, err)
	}
	if _, err := e.Deal(ctx, again); err != nil {
		t.Fatal(err)
	}
	delete(bucket.objects, recordKey(j.Nonce, 2, Stored))
	bucket.objects[place{nonce: j.Nonce, holder: "alice", n: 1}.key(sealedSuffix)] = []byte("something else")
	if _, err := e.Deal(ctx, again); err == nil {
		t.Error("a share that is not what was sealed passes for stored")
	}
}

// TestRoot proves that only who ran can open the root token, and that it is gone
// once it is forgotten.
func TestRoot(t *testing.T) {
	p := newPeople(t, "alice", "bob")
	e, j := dealt(t, p, 1, p.holder("alice", 1))
	root, err := e.Root(t.Context(), j)
	if err != nil || root.RevealString() != "hvs.root-token-canary" {
		t.Fatalf("%v", err)
	}
	other := *e
	other.Identities = []secret.Identity{p["bob"]}
	var need *NeedHolders
	if _, err := other.Root(t.Context(), j); !errors.As(err, &need) || need.Names[0] != "alice" {
		t.Errorf("%v", err)
	}
	if err := e.Forget(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Root(t.Context(), j); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// TestIntend proves when an intent is taken up again and when it is another one.
func TestIntend(t *testing.T) {
	p := newPeople(t, "alice", "bob")
	e := &Escrow{Bucket: &memory{objects: map[string][]byte{}}, Runner: p.holder("alice", 0), Identities: []secret.Identity{p["alice"]}}
	three := []Holder{p.holder("alice", 3)}
	intend := func(holders []Holder, threshold int) Journal {
		t.Helper()
		was, err := e.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		j, err := e.Intend(t.Context(), was, holders, threshold)
		if err != nil {
			t.Fatal(err)
		}
		if now, err := e.Read(t.Context()); err != nil || !now.Same(j) {
			t.Errorf("the newest is %+v (%v), want %+v", now, err, j)
		}
		return j
	}
	first := intend(three, 2)
	e.Bucket.(*memory).objects[keysPrefix+first.Nonce+"/"+probePrefix+"left"] = []byte("by a killed run")
	if again := intend(three, 2); again.Nonce != first.Nonce {
		t.Error("the same deal got another nonce")
	}
	for key := range e.Bucket.(*memory).objects {
		if strings.Contains(key, probePrefix) {
			t.Errorf("%s is left", key)
		}
	}
	if other := intend(three, 3); other.Nonce <= first.Nonce {
		t.Error("another threshold is the same deal, or sorts before it")
	}
	if other := intend([]Holder{p.holder("bob", 3)}, 3); other.Nonce <= first.Nonce {
		t.Error("other holders are the same deal, or sort before it")
	}
}

// TestOtherKeys proves that who has another key now than at the init is named,
// and that their new key makes another deal of an init that got nowhere.
func TestOtherKeys(t *testing.T) {
	p := newPeople(t, "alice", "bob", "eve")
	e := &Escrow{Bucket: &memory{objects: map[string][]byte{}}, Runner: p.holder("alice", 0), Identities: []secret.Identity{p["alice"]}}
	holders := []Holder{p.holder("alice", 1), p.holder("bob", 1)}
	first, err := e.Intend(t.Context(), Journal{}, holders, 1)
	if err != nil {
		t.Fatal(err)
	}
	now, err := e.Read(t.Context())
	if err != nil || len(now.OtherKeys(holders)) > 0 {
		t.Fatalf("%v, %v", now.OtherKeys(holders), err)
	}
	holders[1].Recipient = p["eve"].Recipient()
	if got := now.OtherKeys(holders); !slices.Equal(got, []string{"bob"}) {
		t.Errorf("%v, want bob", got)
	}
	again, err := e.Intend(t.Context(), now, holders, 1)
	if err != nil || again.Nonce <= first.Nonce {
		t.Errorf("%s after %s: %v", again.Nonce, first.Nonce, err)
	}
}

// TestNonces proves that a new init sorts after the last one under any clock.
func TestNonces(t *testing.T) {
	now := time.Date(2026, 7, 1, 23, 59, 59, 999999999, time.UTC)
	for _, was := range []string{
		"", "20260701t235959.999998-ffffffff", "20260701t235959.999999-ffffffff", "20260701t235959.999999-00000000",
		"20260702t000000.000000-ffffffff", "20991231t235959.999999-ffffffff", "by-hand", "2",
	} {
		got := newNonce(now, was)
		if got <= was {
			t.Errorf("%s does not sort after %s", got, was)
		}
		if again := newNonce(now, got); again <= got {
			t.Errorf("%s does not sort after %s", again, got)
		}
	}
	if got := newNonce(now, "20260702t000000.000000-ffffffff"); !strings.HasPrefix(got, "20260702t000000.000001-") {
		t.Errorf("%s, want one microsecond on", got)
	}
}

// TestPreflight proves that what could not be kept or opened is found before init.
func TestPreflight(t *testing.T) {
	p := newPeople(t, "alice", "bob")
	e := &Escrow{Bucket: &memory{objects: map[string][]byte{}}, Runner: p.holder("alice", 0), Identities: []secret.Identity{p["bob"]}}
	if _, err := e.Intend(t.Context(), Journal{}, []Holder{p.holder("bob", 1)}, 1); err == nil || !strings.Contains(err.Error(), "before the init") {
		t.Errorf("a runner who cannot open what is sealed to them: %v", err)
	}
	e.Identities = []secret.Identity{p["alice"]}
	if _, err := e.Intend(t.Context(), Journal{}, []Holder{{Name: "carol", Shares: 1}}, 1); err == nil || !strings.Contains(err.Error(), "carol") {
		t.Errorf("a holder without a key: %v", err)
	}
	e.Bucket = store.Empty{}
	if _, err := e.Intend(t.Context(), Journal{}, []Holder{p.holder("bob", 1)}, 1); err == nil {
		t.Error("a bucket that takes nothing passes")
	}
}

// TestTorn proves that what a purge that was cut off leaves is named as that.
func TestTorn(t *testing.T) {
	p := newPeople(t, "alice")
	e, j := dealt(t, p, 1, p.holder("alice", 1))
	delete(e.Bucket.(*memory).objects, recordKey(j.Nonce, 1, Intent))
	if _, err := e.Read(t.Context()); !errors.Is(err, ErrTorn) || !strings.Contains(hint.Of(err), "--purge") {
		t.Errorf("%v (hint %q)", err, hint.Of(err))
	}
}

func TestJournalStates(t *testing.T) {
	for _, test := range []struct {
		keys  string
		state State
		safe  bool
	}{
		{"", "", false},
		{"vault/a/0001-intent.json", Intent, false},
		{"vault/a/0001-intent.json vault/a/answer.json", Intent, true},
		{"vault/a/0001-intent.json vault/a/0002-stored.json", Stored, true},
		{"vault/a/0001-intent.json vault/a/0002-stored.json vault/b/0001-intent.json", Intent, false},
		{"vault/a/0001-intent.json vault/a/answer.json vault/b/0001-intent.json", Intent, false},
		{"vault/a/0001-intent.json vault/a/0002-destroyed.json", Destroyed, false},
		{"vault/a/0001-intent.json vault/a/0002-stored.json vault/a/0003-destroyed.json", Destroyed, true},
		{"vault/a/0001-intent.json vault/a/0002-destroyed.json vault/a/answer.json", Destroyed, true},
		{"vault/a/0001-intent.json vault/a/0002-stored.json vault/a/0010-revoked.json vault/a/probe-0102 vault/stray.json", Revoked, true},
	} {
		var entries []store.Entry
		for _, key := range strings.Fields(test.keys) {
			entries = append(entries, store.Entry{Key: key})
		}
		if j := newest(entries); j.State != test.state || j.Safe() != test.safe {
			t.Errorf("%s: %s, safe %v", test.keys, j.State, j.Safe())
		}
	}
}
