// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/consul"
)

// A folder of keys is deleted as a whole, and not at all when it is not what was
// looked at; its neighbours stay.
func TestErase(t *testing.T) {
	w := newWorld(t)
	c := w.cluster(t)
	carryOut(t, c)
	management, _ := w.tokens.Secret("consul/bootstrap")
	client := w.client(t, management.RevealString())
	for _, key := range []string{"folder/a", "folder/b/c", "folder-beside/a"} {
		_, err := client.KV().Put(&api.KVPair{Key: key, Value: []byte("x")}, nil)
		must(t, err)
	}
	keys, err := c.Keys(t.Context(), "folder/")
	must(t, err)
	if want := []string{"a", "b/c"}; !slices.Equal(keys, want) {
		t.Fatalf("keys %v, want %v", keys, want)
	}
	if err := c.Erase(t.Context(), "folder/", keys[:1]); !errors.Is(err, consul.ErrMoved) {
		t.Errorf("with a key that was not looked at: %v", err)
	}
	if left, err := c.Keys(t.Context(), "folder/"); err != nil || len(left) != 2 {
		t.Errorf("a refused one deleted: %v, %v", left, err)
	}
	if err := c.Erase(t.Context(), "folder/", keys, "b/c"); !errors.Is(err, consul.ErrMoved) {
		t.Errorf("with a key that must not be there: %v", err)
	}
	if left, err := c.Keys(t.Context(), "folder/"); err != nil || len(left) != 2 {
		t.Errorf("a refused one deleted: %v, %v", left, err)
	}
	must(t, c.Erase(t.Context(), "folder/", keys, "not-there"))
	must(t, c.Erase(t.Context(), "folder/", nil))
	if left, err := c.Keys(t.Context(), "folder/"); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if beside, err := c.Keys(t.Context(), "folder-beside/"); err != nil || len(beside) != 1 {
		t.Errorf("the folder beside it: %v, %v", beside, err)
	}
}
