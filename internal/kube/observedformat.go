// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"clusterup.dev/clusterup/internal/secret"
)

// What the digests are over, beside the data: so that one key can serve several ends.
const (
	observedPurpose = "clusterup observed v1"
	wantedPurpose   = "clusterup observed wanted v1"
	livePurpose     = "clusterup observed live v1"
)

// observedFile is how an Observed is stored, after a line with the digest of it.
type observedFile struct {
	Cluster string            `json:"cluster"`
	Server  string            `json:"server"`
	Schemas map[string]string `json:"schemas,omitempty"`
	Kinds   []observedKind    `json:"kinds,omitempty"`
}

type observedKind struct {
	Group   string      `json:"group,omitempty"`
	Kind    string      `json:"kind"`
	Objects [][6]string `json:"objects"` // namespace, name, UID, version, wanted, live
}

// Bytes is what ReadObserved reads. Nobody without the key can make it, or
// learn a value from it.
func (o *Observed) Bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	file := observedFile{Cluster: o.cluster, Server: o.server, Schemas: o.schemas}
	keys := slices.SortedFunc(maps.Keys(o.records), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.kind, b.kind), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	for _, k := range keys {
		if n := len(file.Kinds); n == 0 || file.Kinds[n-1].Group != k.group || file.Kinds[n-1].Kind != k.kind {
			file.Kinds = append(file.Kinds, observedKind{Group: k.group, Kind: k.kind})
		}
		r, last := o.records[k], &file.Kinds[len(file.Kinds)-1]
		last.Objects = append(last.Objects, [6]string{k.namespace, k.name, r.uid, r.version, r.wanted, r.live})
	}
	body, err := json.Marshal(file)
	if err != nil {
		return nil // strings alone cannot fail to be encoded
	}
	return slices.Concat([]byte(o.seal(body)), []byte("\n"), body)
}

// seal is over the file: a record that somebody else wrote could hide a difference.
func (o *Observed) seal(body []byte) string { return secret.HMAC(o.key, []byte(observedPurpose), body) }

func (o *Observed) read(data []byte) {
	seal, body, ok := bytes.Cut(data, []byte("\n"))
	if !ok || string(seal) != o.seal(body) {
		return
	}
	var file observedFile
	if err := json.Unmarshal(body, &file); err != nil || file.Cluster != o.cluster {
		return
	}
	o.server = file.Server
	maps.Copy(o.schemas, file.Schemas)
	for _, kind := range file.Kinds {
		for _, f := range kind.Objects {
			o.records[key{kind.Group, kind.Kind, f[0], f[1]}] = record{uid: f[2], version: f[3], wanted: f[4], live: f[5]}
		}
	}
}
