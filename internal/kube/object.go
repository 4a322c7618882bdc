// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"clusterup.dev/clusterup/internal/hint"
)

// object is a wanted object, put in the form in which it is applied.
type object struct {
	Ref
	body     *unstructured.Unstructured // a copy of our own
	resource resource
	served   bool // false while the CRD of its kind is not there

	definition *unstructured.Unstructured // of its kind, where that is applied before it
	later      *resource                  // where it is served once that is done, if elsewhere
	past
}

// prepare copies and checks objs and finds where each is served. The kinds of CRDs in
// the set, and of those that come, count: their objects are known, though perhaps not
// yet served.
func (c *Cluster) prepare(ctx context.Context, objs []*unstructured.Unstructured, come ...*unstructured.Unstructured) ([]*object, error) {
	objects := make([]*object, 0, len(objs))
	coming := &comingKinds{}
	for _, definition := range come {
		coming.add(definition)
	}
	wanted := make(map[schema.GroupVersionKind]bool)
	seen := make(map[key]bool, len(objs))
	var errs []error
	for _, u := range objs {
		o, err := normalize(u)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", RefOf(u), err))
			continue
		}
		if seen[o.key()] {
			errs = append(errs, fmt.Errorf("%s is there twice", o.Ref))
		}
		seen[o.key()], wanted[o.gvk()] = true, true
		if isCRD(o.Ref) {
			coming.add(o.body)
		}
		objects = append(objects, o)
	}
	gvks := make([]schema.GroupVersionKind, 0, len(wanted))
	for gvk := range wanted {
		gvks = append(gvks, gvk)
	}
	served, err := c.kinds.resolve(ctx, gvks)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		r, ok := served[o.gvk()]
		o.resource, o.served, o.definition = r, ok, coming.definitions[o.gvk().GroupKind()]
		if ok {
			errs = append(errs, o.check(true))
			continue
		}
		err := o.check(coming.place(o, c.kinds))
		if err == nil {
			err = coming.check(o)
		}
		errs = append(errs, err)
	}
	return objects, together(errs...)
}

func (o *object) check(known bool) error {
	switch {
	case !known:
		return hint.With(fmt.Errorf("%s: the cluster does not serve %s %s", o.Ref, o.APIVersion, o.Kind),
			"check apiVersion and kind, add the CustomResourceDefinition, or list the add-on that defines it under needs")
	case o.Name == "":
		return fmt.Errorf("a %s has no name", o.Kind)
	case o.resource.namespaced && o.Namespace == "":
		return fmt.Errorf("%s has no namespace", o.Ref)
	case !o.resource.namespaced && o.Namespace != "":
		return fmt.Errorf("%s names a namespace, but a %s belongs to none", o.Ref, o.Kind)
	}
	return nil
}

// normalize copies u as JSON would, whatever number types it was built with,
// without what only the server writes, and turns stringData into data: the server
// does the same, but would then take its own result for somebody's change.
func normalize(u *unstructured.Unstructured) (*object, error) {
	content, err := plainCopy(u.Object)
	if err != nil {
		return nil, err
	}
	body := &unstructured.Unstructured{}
	body.Object, _ = content.(map[string]any)
	if body.GetKind() == "" {
		return nil, errors.New("it has no kind")
	}
	delete(body.Object, "status")
	for _, field := range serverFields {
		unstructured.RemoveNestedField(body.Object, "metadata", field)
	}
	if isSecret(RefOf(body)) {
		if err := encodeStringData(body.Object); err != nil {
			return nil, err
		}
	}
	return &object{Ref: RefOf(body), body: body}, nil
}

func encodeStringData(secret map[string]any) error {
	data, err := stringMap(secret, "data")
	if err != nil {
		return err
	}
	for name, value := range data {
		if _, err := base64.StdEncoding.DecodeString(value.(string)); err != nil {
			return fmt.Errorf("data[%q] is not base64", name)
		}
	}
	plain, err := stringMap(secret, "stringData")
	if err != nil || plain == nil {
		return err
	}
	if data == nil {
		data = make(map[string]any, len(plain))
	}
	for name, value := range plain {
		data[name] = base64.StdEncoding.EncodeToString([]byte(value.(string)))
	}
	secret["data"] = data
	delete(secret, "stringData")
	return nil
}

// stringMap checks what the server would refuse while repeating the value.
func stringMap(secret map[string]any, field string) (map[string]any, error) {
	if secret[field] == nil {
		return nil, nil
	}
	m, ok := secret[field].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is not a map", field)
	}
	for name, value := range m {
		if _, ok := value.(string); !ok {
			return nil, fmt.Errorf("%s[%q] is not a string", field, name)
		}
	}
	return m, nil
}

func isSecret(r Ref) bool { return r.APIVersion == "v1" && r.Kind == "Secret" }

func isNamespace(r Ref) bool { return r.APIVersion == "v1" && r.Kind == "Namespace" }

func isCRD(r Ref) bool {
	return r.Kind == "CustomResourceDefinition" && r.gvk().Group == "apiextensions.k8s.io"
}
