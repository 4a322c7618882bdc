// SPDX-License-Identifier: Apache-2.0

package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"clusterup.dev/clusterup/internal/secret"
)

// What a digest of a sealed part is over, beside the part: so that the same key
// can serve other ends.
const sealedPurpose = "clusterup release secrets v1"

func clearKey(digest string) string  { return "objects/sha256/" + digest + ".jsonl" }
func sealedKey(digest string) string { return "objects/hmac-sha256/" + digest + ".age" }
func indexKey(digest string) string  { return "releases/" + digest + ".json" }

func sealedDigest(plain []byte, key secret.Value) string {
	return secret.HMAC(key, []byte(sealedPurpose), plain)
}

// encodePart gives the add-on's entry in the index and what it has stored.
func encodePart(part Part, key secret.Value) (Entry, []blob, error) {
	entry := Entry{Name: part.Addon, Version: part.Version, Rules: part.Rules, Inventory: make([]Item, 0, len(part.Objects))}
	var open, sealed bytes.Buffer
	for _, object := range part.Objects {
		ref := RefOf(part.Addon, object)
		item := Item{APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name, Tokens: part.Tokens[ref]}
		if item.APIVersion == "" || item.Kind == "" || item.Name == "" {
			return Entry{}, nil, errors.New("an object lacks apiVersion, kind or name")
		}
		entry.Inventory = append(entry.Inventory, item)
		line, err := encodeJSON(object.Object)
		if err != nil {
			return Entry{}, nil, fmt.Errorf("encoding %s %s: %w", item.Kind, item.Name, err)
		}
		if isSecret(item) {
			sealed.Write(line)
		} else {
			open.Write(line)
		}
	}
	var blobs []blob
	if open.Len() > 0 {
		entry.Objects = sum(open.Bytes())
		blobs = append(blobs, blob{key: clearKey(entry.Objects), clear: open.Bytes()})
	}
	if sealed.Len() > 0 {
		entry.Secrets = sealedDigest(sealed.Bytes(), key)
		blobs = append(blobs, blob{key: sealedKey(entry.Secrets), plain: secret.NewValue(sealed.Bytes())})
	}
	return entry, blobs, nil
}

func isSecret(item Item) bool { return item.APIVersion == "v1" && item.Kind == "Secret" }

// encodeJSON gives one line. Keys of maps are sorted, so that equal values have
// equal bytes.
func encodeJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return b.Bytes(), err
}

// decodePart puts the objects of both halves together in the order of the
// inventory, which they have to match one by one.
func decodePart(entry Entry, halves ...[]byte) (Part, error) {
	found := make(map[Ref]*unstructured.Unstructured, len(entry.Inventory))
	for _, half := range halves {
		for line := range bytes.Lines(half) {
			var object map[string]any
			if err := utiljson.Unmarshal(line, &object); err != nil {
				return Part{}, errors.New("an object cannot be read")
			}
			u := &unstructured.Unstructured{Object: object}
			found[RefOf(entry.Name, u)] = u
		}
	}
	part := Part{Addon: entry.Name, Version: entry.Version, Rules: entry.Rules, Objects: make([]*unstructured.Unstructured, len(entry.Inventory))}
	for i, item := range entry.Inventory {
		ref := entry.ref(item)
		object, ok := found[ref]
		if !ok {
			return Part{}, fmt.Errorf("%s %s is in the inventory and not in the objects", item.Kind, item.Name)
		}
		part.Objects[i] = object
		if len(item.Tokens) > 0 {
			if part.Tokens == nil {
				part.Tokens = make(map[Ref][]string)
			}
			part.Tokens[ref] = item.Tokens
		}
	}
	if len(found) != len(entry.Inventory) {
		return Part{}, fmt.Errorf("there are %d objects and %d in the inventory", len(found), len(entry.Inventory))
	}
	return part, nil
}
