// SPDX-License-Identifier: Apache-2.0

package release

import (
	"strings"
	"testing"
)

// An index of whatever content, under the name that fits it, and objects of whatever
// content, under names that fit them, are read or refused; the list tells either.
func FuzzFetch(f *testing.F) {
	r, err := New("test", demo("a", "c2VjcmV0"), key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r.index, r.blobs[0].clear)
	f.Add([]byte(`{"apiVersion":"clusterup.dev/v1alpha1","kind":"Release","environment":"test","addons":[{"name":"demo","objects":"OBJECTS","inventory":[{"apiVersion":"v1","kind":"ConfigMap","name":"a"}]}]}`),
		[]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}`+"\n"))
	f.Add([]byte("{"), []byte("null\n[]\n"))
	f.Fuzz(func(t *testing.T, index, objects []byte) {
		index = []byte(strings.ReplaceAll(string(index), "OBJECTS", sum(objects)))
		b := &memory{}
		b.put(indexKey(sum(index)), index)
		b.put(clearKey(sum(objects)), objects)
		l := &Library{Bucket: b, Key: key}
		fetched, err := l.Fetch(t.Context(), sum(index))
		if err == nil && fetched.Digest != sum(index) {
			t.Error("another digest")
		}
		if all, err := l.List(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
