// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/raftsnapshot"
)

// A snapshot of three real servers is taken, everything is changed after it, and
// the restore brings all of it back, proven by what is read. Damaged bytes and
// those of another datacenter are refused with nothing changed.
func TestSnapshotAndRestore(t *testing.T) {
	w := newWorld(t)
	c := w.cluster(t)
	carryOut(t, c)
	management, _ := w.tokens.Secret("consul/bootstrap")
	client := w.client(t, management.RevealString())
	put := func(key, value string) {
		t.Helper()
		_, err := client.KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil)
		must(t, err)
	}
	get := func(key string) string {
		t.Helper()
		pair, _, err := client.KV().Get(key, &api.QueryOptions{RequireConsistent: true})
		must(t, err)
		if pair == nil {
			return ""
		}
		return string(pair.Value)
	}
	put("app/config", "before")
	var archive bytes.Buffer
	taken, err := c.Snapshot(t.Context(), &archive)
	must(t, err)
	// Keys: the one above, the mark, and the one that proves writes.
	if taken.Index == 0 || taken.Datacenter != "dc1" || taken.Version == "" || len(taken.Proof.Tokens) < 3 || len(taken.Proof.Policies) < 3 || taken.Proof.KeysLeast != 3 || taken.Proof.KeysMost != 3 {
		t.Errorf("taken: %+v", taken)
	}
	if checked, err := raftsnapshot.Check(bytes.NewReader(archive.Bytes())); err != nil || checked.Index != taken.Index {
		t.Errorf("checked %+v, %v", checked, err)
	}

	put("app/config", "after")
	put("app/other", "after")
	policy, _, err := client.ACL().PolicyReadByName("app", nil)
	must(t, err)
	_, err = client.ACL().PolicyDelete(policy.ID, nil)
	must(t, err)
	var second bytes.Buffer
	_, err = c.Snapshot(t.Context(), &second)
	must(t, err)
	if err := c.Restore(t.Context(), bytes.NewReader(archive.Bytes()), "dc2"); err == nil || !strings.Contains(err.Error(), "datacenter") {
		t.Errorf("of another datacenter: %v", err)
	}
	damaged := bytes.Clone(archive.Bytes())
	damaged[len(damaged)/2] ^= 1
	if err := c.Restore(t.Context(), bytes.NewReader(damaged), "dc1"); err == nil {
		t.Error("Consul took a damaged archive")
	}
	if got := get("app/config"); got != "after" {
		t.Errorf("after refused restores the key is %q", got)
	}

	must(t, c.Restore(t.Context(), bytes.NewReader(archive.Bytes()), "dc1"))
	proven, err := c.Prove(t.Context(), taken.Proof)
	must(t, err)
	if len(proven.Missing) > 0 || proven.Tokens != len(taken.Proof.Tokens) || proven.Policies != len(taken.Proof.Policies) {
		t.Errorf("proven: %+v", proven)
	}
	if got := get("app/config"); got != "before" {
		t.Errorf("the key is %q after the restore", got)
	}
	if got := get("app/other"); got != "" {
		t.Errorf("a key of after the snapshot is there: %q", got)
	}
	carryOut(t, c) // the policy that was deleted is there again, so nothing is lost
}

// A mark that is another one says that Consul does not hold the snapshot.
func TestProofFailsForAnotherSnapshot(t *testing.T) {
	w := newWorld(t)
	c := w.cluster(t)
	carryOut(t, c)
	var archive bytes.Buffer
	taken, err := c.Snapshot(t.Context(), &archive)
	must(t, err)
	_, err = c.Snapshot(t.Context(), &bytes.Buffer{})
	must(t, err)
	short := w.cluster(t, func(cfg *consul.Config) { cfg.Timeout = 2 * time.Second })
	if _, err := short.Prove(t.Context(), taken.Proof); err == nil || !strings.Contains(err.Error(), consul.MarkKey) {
		t.Errorf("proof: %v", err)
	}
}
