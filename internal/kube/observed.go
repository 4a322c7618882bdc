// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"maps"
	"sync"

	"clusterup.dev/clusterup/internal/secret"
)

// Observed is what earlier runs saw of one set of objects, so that a plan need not
// ask the server again about what nobody has written to since. It is a memory and no
// decision: without it a plan says the same and takes longer. Its methods may
// be called side by side.
type Observed struct {
	cluster string
	key     secret.Value

	mu      sync.Mutex
	server  string            // the version of the API server that made the records
	schemas map[string]string // what served the custom resources: "widgets.demo.dev" → its definition
	records map[key]record
	learned bool
}

// record is one object that was as wanted when it had this version.
type record struct {
	uid     string
	version string // resourceVersion: every write to the object gives it another one
	wanted  string // digest of the object as it is applied
	live    string // digest of the fields that we hold and of their values
}

// ReadObserved reads what Bytes gave for the cluster with this UID. What is absent,
// damaged, of another cluster, or made with another key is an empty memory. The key
// is of this environment alone; an empty one remembers nothing.
func ReadObserved(data []byte, cluster string, k secret.Value) *Observed {
	o := &Observed{cluster: cluster, key: k, schemas: make(map[string]string), records: make(map[key]record)}
	if !k.IsZero() {
		o.read(data)
	}
	return o
}

// Save calls put with what ReadObserved reads, if that is something else than what was
// read or saved last.
func (o *Observed) Save(put func(data []byte) error) error {
	o.mu.Lock()
	learned := o.learned
	o.learned = false
	o.mu.Unlock()
	if !learned || o.key.IsZero() {
		return nil
	}
	err := put(o.Bytes())
	if err != nil {
		o.mu.Lock()
		o.learned = true
		o.mu.Unlock()
	}
	return err
}

// served begins a plan: records that another version of the API server made do not
// count, it may have other defaults; those of objects that are wanted no more go.
func (o *Observed) served(server string, objects []*object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.server != server {
		o.learned = o.learned || len(o.records) > 0
		o.server = server
		clear(o.records)
		clear(o.schemas)
	}
	wanted := make(map[key]bool, len(objects))
	for _, one := range objects {
		wanted[one.key()] = true
	}
	before := len(o.records)
	maps.DeleteFunc(o.records, func(k key, _ record) bool { return !wanted[k] })
	o.learned = o.learned || len(o.records) != before
}

// defined says by which definition the objects of a custom kind are served now. Another
// definition may have other defaults, so records made under the old one do not count.
func (o *Observed) defined(r resource, kind, definition string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := r.gvr.GroupResource().String()
	if o.schemas[name] == definition {
		return
	}
	o.schemas[name], o.learned = definition, true
	maps.DeleteFunc(o.records, func(k key, _ record) bool { return k.group == r.gvr.Group && k.kind == kind })
}

func (o *Observed) get(k key) (record, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r, ok := o.records[k]
	return r, ok
}

func (o *Observed) put(k key, r record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.records[k] != r {
		o.records[k], o.learned = r, true
	}
}

func (o *Observed) drop(k key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, there := o.records[k]; there {
		delete(o.records, k)
		o.learned = true
	}
}
