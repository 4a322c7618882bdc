// SPDX-License-Identifier: Apache-2.0

package release

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// memory is a bucket that counts what is written to it.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	writes  []string
	version int
	of      map[string]store.Version

	beforePut    func(key string) // once, outside the lock
	beforeDelete func(key string) error
}

func (m *memory) Get(_ context.Context, key string) ([]byte, store.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[key]
	if !ok {
		return nil, "", fmt.Errorf("read %s: %w", key, store.ErrNotFound)
	}
	return slices.Clone(data), m.of[key], nil
}

func (m *memory) PutNew(_ context.Context, key string, data []byte) (store.Version, error) {
	if f := m.beforePut; f != nil {
		m.beforePut = nil
		f(key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; ok {
		return "", fmt.Errorf("write %s: %w", key, store.ErrExists)
	}
	return m.put(key, data), nil
}

func (m *memory) PutIf(_ context.Context, key string, data []byte, was store.Version) (store.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of[key] != was {
		return "", fmt.Errorf("write %s: %w", key, store.ErrChanged)
	}
	return m.put(key, data), nil
}

func (m *memory) put(key string, data []byte) store.Version {
	if m.objects == nil {
		m.objects, m.of = make(map[string][]byte), make(map[string]store.Version)
	}
	m.version++
	m.objects[key], m.of[key] = slices.Clone(data), store.Version(fmt.Sprint(m.version))
	m.writes = append(m.writes, key)
	return m.of[key]
}

func (m *memory) List(_ context.Context, prefix string) ([]store.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var entries []store.Entry
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(key, prefix) {
			entries = append(entries, store.Entry{Key: key, Size: int64(len(m.objects[key]))})
		}
	}
	return entries, nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.beforeDelete; f != nil {
		if err := f(key); err != nil {
			return err
		}
	}
	delete(m.objects, key)
	return nil
}

// keys gives the written keys since the last call, and forgets them.
func (m *memory) written() []string {
	keys := m.writes
	m.writes = nil
	slices.Sort(keys)
	return keys
}

func object(apiVersion, kind, namespace, name string, more ...any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	u.SetNamespace(namespace)
	u.SetName(name)
	for i := 0; i+1 < len(more); i += 2 {
		u.Object[more[i].(string)] = more[i+1]
	}
	return u
}

func settings(value string) *unstructured.Unstructured {
	return object("v1", "ConfigMap", "demo", "settings", "data", map[string]any{"a": value, "html": "<&>"})
}

func credentials(value string) *unstructured.Unstructured {
	return object("v1", "Secret", "demo", "credentials", "data", map[string]any{"key": value})
}

var web = object("apps/v1", "Deployment", "demo", "web", "spec", map[string]any{"replicas": int64(2), "ratio": 0.5})

var key = secret.NewString("the key of the environment")

func demo(setting, credential string) []Part {
	return []Part{
		{Addon: "base", Version: "1", Objects: []*unstructured.Unstructured{object("v1", "Namespace", "", "demo")}},
		{Addon: "demo", Version: "2.0", Objects: []*unstructured.Unstructured{credentials(credential), settings(setting), web.DeepCopy()}},
	}
}

func mustNew(t testing.TB, parts []Part) *Release {
	t.Helper()
	r, err := New("test", parts, key)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// library is a library on b with an operator of its own.
func library(t testing.TB, b Bucket) *Library {
	t.Helper()
	identity, err := secret.CreateIdentity(t.TempDir() + "/identity/identity.txt")
	if err != nil {
		t.Fatal(err)
	}
	return &Library{Bucket: b, Recipients: []secret.Recipient{identity.Recipient()}, Identities: []secret.Identity{identity}, Key: key}
}
