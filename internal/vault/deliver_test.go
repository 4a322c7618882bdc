// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/converge/convergetest"
	"clusterup.dev/clusterup/internal/courier"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/secret"
)

// pigeon is a courier that may get lost.
type pigeon struct {
	lost    bool
	brought []string
}

func (*pigeon) Way() string { return "pigeon" }

func (*pigeon) Address(holder string) string {
	if holder == "carol" {
		return ""
	}
	return "loft of " + holder
}

func (p *pigeon) Deliver(_ context.Context, holder string, files []custody.File) error {
	if p.lost {
		return errors.New("it did not come back")
	}
	for _, f := range files {
		if !strings.HasPrefix(string(f.Sealed), "age-encryption.org/v1") {
			return errors.New("it is not sealed")
		}
		p.brought = append(p.brought, filepath.Base(f.Name))
	}
	return nil
}

// dealtTo is a bucket with an init that was dealt, two shares to alice and one each
// to bob and carol.
func dealtTo(t *testing.T, couriers ...custody.Courier) (*Vault, *custody.Escrow, custody.Journal) {
	t.Helper()
	id, err := secret.CreateIdentity(filepath.Join(t.TempDir(), "alice", "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	runner := custody.Holder{Name: "alice", Recipient: id.Recipient(), Shares: 2}
	holders := []custody.Holder{runner, {Name: "bob", Recipient: id.Recipient(), Shares: 1}, {Name: "carol", Recipient: id.Recipient(), Shares: 1}}
	e := &custody.Escrow{Bucket: &folder{dir: t.TempDir()}, Runner: runner, Identities: []secret.Identity{id}}
	v := New(Config{Couriers: couriers, Escrow: func(context.Context) (*custody.Escrow, error) { return e, nil }})
	j, err := e.Intend(t.Context(), custody.Journal{}, holders, 2)
	if err != nil {
		t.Fatal(err)
	}
	if plan, err := v.Deliver().Plan(t.Context()); err != nil || plan.After != "vault/init" {
		t.Fatalf("before the shares are dealt: %+v, %v", plan, err)
	}
	answer := &custody.Answer{Root: secret.NewString("root")}
	for n := range 4 {
		answer.Shares = append(answer.Shares, secret.NewValue(fmt.Appendf(nil, "share-number-%d-of-an-init", n)))
	}
	sealed, err := e.SealAnswer(j, holders, answer)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Keep(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	if j, err = e.Deal(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	return v, e, j
}

// TestDeliver proves that every holder who can be reached gets their sealed shares in
// every way, once, that a way that fails keeps none of the others back and is in the
// next plan, and that what was sent is recorded.
func TestDeliver(t *testing.T) {
	bird, dir := &pigeon{lost: true}, t.TempDir()
	v, e, j := dealtTo(t, bird, courier.Folder{Dir: dir})
	step := v.Deliver()
	plan, err := step.Plan(t.Context())
	if err != nil || len(plan.Changes) != 5 || plan.Changes[0].Subject != "key shares of alice" || !strings.Contains(plan.Changes[0].Note, "send 2, sealed, by pigeon to loft of alice") {
		t.Fatalf("%+v, %v", plan, err)
	}
	err = step.Apply(t.Context(), plan)
	if err == nil || strings.Count(err.Error(), "it did not come back") != 2 || !strings.Contains(err.Error(), "sending bob their key shares by pigeon") {
		t.Errorf("%v", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, j.Nonce, "*.age"))
	if err != nil || len(files) != 4 {
		t.Errorf("in the folder: %v, %v", files, err)
	}
	if err := step.Apply(t.Context(), plan); !errors.Is(err, converge.ErrStale) {
		t.Errorf("a plan of yesterday: %v", err)
	}
	plan, err = step.Plan(t.Context())
	if err != nil || len(plan.Changes) != 2 {
		t.Fatalf("%+v, %v", plan, err)
	}
	bird.lost = false
	if err := step.Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	slices.Sort(bird.brought)
	if !slices.Equal(bird.brought, []string{"alice-1.age", "alice-2.age", "bob-1.age"}) {
		t.Errorf("brought %v", bird.brought)
	}
	shares, err := e.Register(t.Context(), j)
	if err != nil || len(shares) != 4 || len(shares[0].Delivered) != 2 || shares[0].Delivered[1].To != "loft of alice" || len(shares[3].Delivered) != 1 {
		t.Errorf("%+v, %v", shares, err)
	}
	if plan, err := step.Plan(t.Context()); err != nil || !plan.Empty() {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := e.Record(t.Context(), j, custody.Destroyed); err != nil {
		t.Fatal(err)
	}
	if plan, err := step.Plan(t.Context()); err != nil || plan.After != "vault/init" {
		t.Errorf("of a destroyed environment: %+v, %v", plan, err)
	}
}

// TestDeliverOnlySealed proves that nothing but a sealed file goes out.
func TestDeliverOnlySealed(t *testing.T) {
	bird := &pigeon{}
	v, e, j := dealtTo(t, bird)
	key := "keys/" + j.Nonce + "/bob-1.age"
	if err := e.Bucket.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Bucket.PutNew(t.Context(), key, []byte("c2hhcmU=")); err != nil {
		t.Fatal(err)
	}
	plan, err := v.Deliver().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Deliver().Apply(t.Context(), plan); err == nil || !strings.Contains(err.Error(), "bob-1.age is no sealed file") {
		t.Errorf("%v", err)
	}
	if !slices.Equal(bird.brought, []string{"alice-1.age", "alice-2.age"}) {
		t.Errorf("brought %v", bird.brought)
	}
}

// TestDeliverConformance proves that the step keeps the contract of a step.
func TestDeliverConformance(t *testing.T) {
	v, _, _ := dealtTo(t, courier.Folder{Dir: t.TempDir()})
	convergetest.Run(t, v.Deliver)
}
