// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/secret"
)

func twoRecords() *Observed {
	o := ReadObserved(nil, "here", observedKey)
	o.server, o.schemas = "v1.36.3", map[string]string{"widgets.demo.dev": "uid/1"}
	o.put(key{"", "ConfigMap", "demo", "settings"}, record{"u1", "12", "w1", "l1"})
	o.put(key{"apps", "Deployment", "demo", "web"}, record{"u2", "13", "w2", "l2"})
	return o
}

// TestObservedStored proves that what is stored is read back, the same bytes each
// time, and that anything else than those counts as nothing.
func TestObservedStored(t *testing.T) {
	o := twoRecords()
	data := o.Bytes()
	back := ReadObserved(data, "here", observedKey)
	if !reflect.DeepEqual(back.records, o.records) || back.server != o.server || !reflect.DeepEqual(back.schemas, o.schemas) {
		t.Errorf("read %+v", back)
	}
	saves := func(o *Observed, fails error) (times int) {
		if err := o.Save(func([]byte) error { times++; return fails }); !errors.Is(err, fails) {
			t.Error(err)
		}
		return times
	}
	if string(back.Bytes()) != string(data) || saves(back, nil) != 0 {
		t.Error("what was only read has changed")
	}
	if saves(o, errors.ErrUnsupported) != 1 || saves(o, nil) != 1 || saves(o, nil) != 0 {
		t.Error("what is new is not saved once")
	}
	damaged := map[string]*Observed{
		"another cluster": ReadObserved(data, "there", observedKey),
		"another key":     ReadObserved(data, "here", secret.NewString("another")),
		"no key":          ReadObserved(data, "here", secret.Value{}),
		"nothing":         ReadObserved(nil, "here", observedKey),
		"cut off":         ReadObserved(data[:len(data)-1], "here", observedKey),
		"no body":         ReadObserved([]byte("{}"), "here", observedKey),
		"a later version": ReadObserved([]byte(secret.HMAC(observedKey, []byte("clusterup observed v2"), []byte("{}"))+"\n{}"), "here", observedKey),
	}
	for i := range data {
		flipped := append([]byte{}, data...)
		flipped[i] ^= 1
		damaged[fmt.Sprint("byte ", i)] = ReadObserved(flipped, "here", observedKey)
	}
	for name, o := range damaged {
		if len(o.records) != 0 || o.learned {
			t.Errorf("%s: read %+v", name, o.records)
		}
	}
}

// TestLiveDigest proves what the digest of a live object is over: our fields, their
// values and their order, and nothing of others.
func TestLiveDigest(t *testing.T) {
	base := `{"apiVersion":"v1","kind":"Thing","metadata":{"uid":"u","resourceVersion":"1","managedFields":[{"manager":"clusterup","operation":"Apply","fieldsV1":
		{"f:spec":{"f:a":{},"f:list":{"k:{\"name\":\"x\"}":{".":{},"f:name":{},"f:v":{}}},"f:set":{"v:\"one\"":{}}}}}]},
		"spec":{"a":"1","b":"2","list":[{"name":"x","v":1},{"name":"y","v":2}],"set":["one","two"]},"status":{"ready":false}}`
	digest := func(from, to string) string {
		u := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(strings.Replace(base, from, to, 1)), u); err != nil || !strings.Contains(base, from) {
			t.Fatal(from, err)
		}
		return liveDigest(observedKey, u)
	}
	same := digest(`"a"`, `"a"`)
	if len(same) != digestSize {
		t.Fatalf("digest %q", same)
	}
	for _, change := range [][2]string{{`"b":"2"`, `"b":"3"`}, {`"ready":false`, `"ready":true`}, {`"resourceVersion":"1"`, `"resourceVersion":"2"`}, {`"name":"y","v":2`, `"name":"z","v":3`}, {`"two"`, `"three"`}} {
		if digest(change[0], change[1]) != same {
			t.Errorf("%s: another digest for what is not ours", change[1])
		}
	}
	for _, change := range [][2]string{
		{`"a":"1"`, `"a":"2"`},
		{`"a":"1",`, ``},
		{`"a":"1"`, `"a":1`},
		{`"name":"x","v":1`, `"name":"x","v":2`},
		{`"name":"x","v":1`, `"name":"w","v":1`},
		{`"one","two"`, `"two"`},
		{`"one","two"`, `"two","one"`},
		{`"uid":"u"`, `"uid":"w"`},
		{`"f:a":{},`, ``},
		{`"f:v":{}`, `"f:v":{},"f:w":{}`},
	} {
		if digest(change[0], change[1]) == same {
			t.Errorf("%s instead of %s: the same digest", change[1], change[0])
		}
	}
	if got := digest(`"manager":"clusterup"`, `"manager":"somebody"`); got != "" {
		t.Errorf("nothing is ours: %q", got)
	}
}

// FuzzObserved proves that no stored bytes, not even ones with a right seal, do
// more than be read; and that what was read can be written and read again.
func FuzzObserved(f *testing.F) {
	f.Add(twoRecords().Bytes())
	f.Add([]byte(`{"cluster":"here","kinds":[{"kind":"A","objects":[["","","","","",""],["a"]]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if o := ReadObserved(body, "here", observedKey); len(o.records) > 0 && string(o.Bytes()) == "" {
			t.Error("read, and cannot be written")
		}
		sealed := append([]byte(ReadObserved(nil, "here", observedKey).seal(body)+"\n"), body...)
		o := ReadObserved(sealed, "here", observedKey)
		if back := ReadObserved(o.Bytes(), "here", observedKey); !reflect.DeepEqual(back.records, o.records) {
			t.Errorf("read %v, written and read %v", o.records, back.records)
		}
	})
}

// FuzzLiveDigest proves that no field set and no object make the digest fail.
func FuzzLiveDigest(f *testing.F) {
	f.Add([]byte(`{"f:spec":{"f:list":{"k:{\"name\":\"x\"}":{".":{}},"v:1":{},"i:0":{}}}}`), []byte(`{"spec":{"list":[{"name":"x"},1,null]}}`))
	f.Add([]byte(`{"f:spec":{".":1,"":{},"k:":{},":":[]}}`), []byte(`{"spec":[[]]}`))
	f.Fuzz(func(t *testing.T, fields, object []byte) {
		u, set := &unstructured.Unstructured{}, map[string]any{}
		if json.Unmarshal(object, &u.Object) != nil || json.Unmarshal(fields, &set) != nil || u.Object == nil {
			return
		}
		u.Object["metadata"] = map[string]any{"managedFields": []any{map[string]any{"manager": Manager, "operation": "Apply", "fieldsV1": set}}}
		first := liveDigest(observedKey, u)
		if second := liveDigest(observedKey, u.DeepCopy()); second != first {
			t.Errorf("the digest of a copy is %q, not %q", second, first)
		}
	})
}
