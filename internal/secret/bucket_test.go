// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// memory is a bucket. before, when set, is asked before every put and may fail it.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	before  func(key string) error
	lists   int
}

func newMemory() *memory { return &memory{objects: make(map[string][]byte)} }

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if data, ok := m.objects[key]; ok {
		return bytes.Clone(data), nil
	}
	return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
}

func (m *memory) PutNew(_ context.Context, key string, data []byte) error {
	if m.before != nil {
		if err := m.before(key); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; ok {
		return fmt.Errorf("%s: %w", key, fs.ErrExist)
	}
	m.objects[key] = bytes.Clone(data)
	return nil
}

func (m *memory) List(_ context.Context, prefix string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lists++
	keys := slices.Sorted(maps.Keys(m.objects))
	return slices.DeleteFunc(keys, func(k string) bool { return !strings.HasPrefix(k, prefix) }), nil
}

func (m *memory) copied() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.objects)
}

func newTestIdentity(t testing.TB) Identity {
	t.Helper()
	id, err := CreateIdentity(t.TempDir() + "/identity.txt")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// keeperOf makes a keeper whose runner is its only operator.
func keeperOf(bucket Bucket, id Identity) *Keeper {
	return &Keeper{Bucket: bucket, Recipients: []Recipient{id.Recipient()}, Identities: []Identity{id}}
}

// everyKind is a token of each kind, and a second leaf.
func everyKind() []Spec {
	return []Spec{
		// The leaves come first: the order of the list does not matter.
		{Addon: "vault", Name: "server", Kind: Cert, CA: "vault/ca", CommonName: "vault", DNS: []string{"vault.vault.svc", "*.vault-internal"}, IPs: []string{"127.0.0.1", "::1"}, Server: true},
		{Addon: "consul", Name: "agent", Kind: Cert, CA: "consul/ca", DNS: []string{"server.dc1.consul"}, Server: true, Client: true},
		{Addon: "consul", Name: "cli", Kind: Cert, CA: "consul/ca", Client: true},
		{Addon: "consul", Name: "gossip", Kind: GossipKey},
		{Addon: "consul", Name: "bootstrap", Kind: ACLToken},
		{Addon: "consul", Name: "ca", Kind: CA},
		{Addon: "vault", Name: "ca", Kind: CA, CommonName: "Vault CA"},
		{Addon: "vault", Name: "ui", Kind: Password, Length: 20},
		{Addon: "clusterup", Name: "digest", Kind: HMACKey},
	}
}
