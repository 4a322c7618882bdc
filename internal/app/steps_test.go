// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// listOf gives the list of an environment, without a store or a cluster.
func listOf(t *testing.T, spec string) []converge.Item {
	t.Helper()
	path := filepath.Join(t.TempDir(), "some.yaml")
	text := "apiVersion: clusterup.dev/v1alpha1\nkind: Environment\nmetadata: {name: some}\nspec:\n" + spec
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Open(Options{Environment: path})
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{App: a, bucket: store.Empty{}, keys: map[string]secret.Recipient{}}
	if err := s.openHooks(); err != nil {
		t.Fatal(err)
	}
	return s.steps()
}

const localWithBoth = `
  development: true
  custodian: me
  cluster: {terraform: {module: local}}
  operators: [{name: me, self: true}]
  addons: [{name: vault}, {name: consul}]
`

// ground is everything that a step stands on, also through others.
func ground(t *testing.T, items []converge.Item, name string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	found := false
	for _, item := range slices.Backward(items) { // the needs of an item stand before it
		step := item.Step.Name()
		found = found || step == name
		if step != name && !all[step] {
			continue
		}
		for _, need := range item.After {
			all[need] = true
		}
	}
	if !found {
		t.Fatalf("there is no step %s", name)
	}
	return all
}

// The list of the local environment can be carried out: nothing is double and
// nothing needs what stands behind it.
func TestListIsInOrder(t *testing.T) {
	if err := converge.CheckOrder(listOf(t, localWithBoth)); err != nil {
		t.Error(err)
	}
}

// Vault is applied only when Consul is whole, whatever steps its hook has, and
// the release becomes current after everything else.
func TestListStandsOnItsNeeds(t *testing.T) {
	items := listOf(t, localWithBoth)
	vault := ground(t, items, "vault/apply")
	last := ground(t, items, promote)
	for i, item := range items {
		name := item.Step.Name()
		lastly := ground(t, items, name)[prune] // what is taken away when nobody uses it any more
		if strings.HasPrefix(name, "consul/") && !lastly && !vault[name] {
			t.Errorf("vault/apply does not stand on %s", name)
		}
		switch {
		case name == promote && i != len(items)-1:
			t.Error("promote is not the last one")
		case name != promote && !last[name]:
			t.Errorf("promote does not stand on %s", name)
		}
	}
	for _, name := range []string{infrastructure, nodes, binding, makeTokens, stage, "consul/apply", "consul/ready"} {
		if !vault[name] {
			t.Errorf("vault/apply does not stand on %s", name)
		}
	}
	if alone := ground(t, items, stage); alone[nodes] || alone[infrastructure] {
		t.Error("staging waits for the cluster, which it does not need")
	}
}

// Whatever touches the cluster stands on the binding, also in an environment
// whose last add-on was taken out: another cluster is never pruned.
func TestListTouchesOnlyTheBoundCluster(t *testing.T) {
	for _, addons := range []string{"", "[{name: consul}]"} {
		spec := "\n  cluster: {terraform: {module: local}}\n  development: true\n  operators: [{name: me, self: true}]\n"
		items := listOf(t, spec+fmt.Sprintf("  addons: %s\n", addons))
		if !ground(t, items, prune)[binding] {
			t.Errorf("with the add-ons %s, prune does not stand on the binding", addons)
		}
	}
}

// A hook that has nothing to do in an environment does not cut the order: what needs the
// add-on stands on the steps before it.
func TestHookWithoutSteps(t *testing.T) {
	l := &list{}
	l.addon("demo", step{name: "demo/apply"})
	l.hooks("demo", [][]converge.Item{{}, {{Step: step{name: "demo/hook"}}}, {}})
	l.addon("next", step{name: "next/apply"}, l.ends([]string{"demo"})...)
	all := ground(t, l.items, "next/apply")
	if !all["demo/hook"] || !all["demo/apply"] {
		t.Errorf("it stands on %v", all)
	}
}

// Sealed shares are sent once they are dealt, and nothing waits for that: not the
// unsealing, not another add-on, not the release.
func TestDeliveryHoldsNothingUp(t *testing.T) {
	for _, item := range listOf(t, localWithBoth) {
		if item.Step.Name() == "vault/deliver" {
			t.Error("a step for a delivery that is not asked for")
		}
	}
	items := listOf(t, localWithBoth+"  delivery: {folder: shares}\n")
	if all := ground(t, items, "vault/deliver"); !all["vault/init"] || all["vault/unseal"] {
		t.Errorf("it stands on %v", all)
	}
	for _, item := range items {
		if slices.Contains(item.After, "vault/deliver") {
			t.Errorf("%s waits for it", item.Step.Name())
		}
	}
}
