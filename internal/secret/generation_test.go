// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"slices"
	"strings"
	"testing"
)

// rotating is a bucket with a CA, a certificate of it and a key, made once.
func rotating(t *testing.T) (*Keeper, []Spec) {
	t.Helper()
	specs := []Spec{
		{Addon: "consul", Name: "ca", Kind: CA},
		{Addon: "consul", Name: "server", Kind: Cert, CA: "consul/ca", Server: true, DNS: []string{"server"}},
		{Addon: "consul", Name: "gossip", Kind: GossipKey},
	}
	k := keeperOf(newMemory(), newTestIdentity(t))
	if err := k.Make(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	return k, specs
}

func TestARenewedTokenIsAnotherAndTheOldOneStays(t *testing.T) {
	k, specs := rotating(t)
	before := load(t, k, specs)
	if err := k.Renew(t.Context(), specs[2]); err != nil {
		t.Fatal(err)
	}
	after := load(t, k, specs)
	old, _ := before.Secret("consul/gossip")
	renewed, _ := after.Secret("consul/gossip")
	if old.Equal(renewed) {
		t.Error("the newest generation is the old one")
	}
	if number, older := after.Generation("consul/gossip"); number != 2 || !slices.Equal(older, []int{1}) {
		t.Errorf("generation %d, older %v", number, older)
	}
	kept, err := k.Older(t.Context(), specs[2])
	if err != nil || len(kept) != 1 || kept[0].Number != 1 || !kept[0].Secret.Equal(old) {
		t.Errorf("older generations: %d, %v", len(kept), err)
	}
	if number, older := after.Generation("consul/ca"); number != 1 || older != nil {
		t.Errorf("another token has generation %d, older %v", number, older)
	}
}

// Two operators who renew at once, from the same listing, end with the same
// generation.
func TestRenewingTwiceAtOnceMakesOneGeneration(t *testing.T) {
	k, specs := rotating(t)
	numbers := func(Spec) int { return 2 }
	for range 2 {
		if err := k.makeAll(t.Context(), specs[2:], nil, numbers); err != nil {
			t.Fatal(err)
		}
	}
	if number, older := load(t, k, specs).Generation("consul/gossip"); number != 2 || len(older) != 1 {
		t.Errorf("generation %d, older %v", number, older)
	}
}

// The whole rotation of a CA: both are trusted, then certificates are of the new
// one, then the old one is not trusted any more. At each point a certificate that
// is in use is vouched for by what is trusted.
func TestOldAndNewCAAreTrustedSideBySide(t *testing.T) {
	k, specs := rotating(t)
	one := load(t, k, specs)
	first, _ := one.Public("consul/ca")
	if one.Issuer("consul/server") != 1 {
		t.Errorf("the certificate is of generation %d", one.Issuer("consul/server"))
	}
	if err := k.Renew(t.Context(), specs[0]); err != nil {
		t.Fatal(err)
	}
	both := load(t, k, specs)
	bundle, _ := both.Public("consul/ca")
	if strings.Count(bundle, "BEGIN CERTIFICATE") != 2 || !strings.HasSuffix(bundle, first) {
		t.Errorf("the bundle is\n%s", bundle)
	}
	if both.Issuer("consul/server") != 1 {
		t.Errorf("the certificate is of generation %d", both.Issuer("consul/server"))
	}
	if err := k.Renew(t.Context(), specs[1]); err != nil {
		t.Fatal(err)
	}
	if moved := load(t, k, specs); moved.Issuer("consul/server") != 2 {
		t.Errorf("the renewed certificate is of generation %d", moved.Issuer("consul/server"))
	}
	for range 2 { // the second time there is nothing to do
		if err := k.Retire(t.Context(), "consul/ca"); err != nil {
			t.Fatal(err)
		}
	}
	last := load(t, k, specs)
	if alone, _ := last.Public("consul/ca"); alone+first != bundle {
		t.Errorf("after the old CA was retired there is\n%s", alone)
	}
	if number, older := last.Generation("consul/ca"); number != 2 || older != nil {
		t.Errorf("generation %d, older %v", number, older)
	}
}

// A CA that is retired while a certificate of it is in use is noticed.
func TestACertificateOfARetiredCAIsRefused(t *testing.T) {
	k, specs := rotating(t)
	if err := k.Renew(t.Context(), specs[0]); err != nil {
		t.Fatal(err)
	}
	if err := k.Retire(t.Context(), "consul/ca"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Load(t.Context(), specs); err == nil || !strings.Contains(err.Error(), "was not issued by consul/ca") {
		t.Errorf("load: %v", err)
	}
}

func TestOnlyWhatIsThereIsRenewed(t *testing.T) {
	k, _ := rotating(t)
	err := k.Renew(t.Context(), Spec{Addon: "consul", Name: "other", Kind: GossipKey})
	if err == nil || !strings.Contains(err.Error(), "consul/other") {
		t.Errorf("renew: %v", err)
	}
}
