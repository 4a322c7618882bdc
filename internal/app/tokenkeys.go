// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"encoding/base64"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/secret"
)

// tokenKeys are, by object, the keys of the data that come from tokens: the values
// of Secrets that differ between two renders with other secrets, and what holds a
// public half, such as a certificate beside its key.
func tokenKeys(name string, one, other []addon.Object, tokens *secret.Set) map[release.Ref][]string {
	public := publics(tokens)
	found := map[release.Ref][]string{}
	for i, keys := range addon.TokenKeys(one, other) {
		u := one[i].Unstructured
		for key, value := range dataOf(u) {
			if !slices.Contains(keys, key) && slices.ContainsFunc(public, func(p []byte) bool { return bytes.Contains(value, p) }) {
				keys = append(keys, key)
			}
		}
		if len(keys) > 0 {
			slices.Sort(keys)
			found[release.RefOf(name, u)] = keys
		}
	}
	return found
}

func publics(tokens *secret.Set) [][]byte {
	all := [][]byte{}
	for _, id := range tokens.IDs() {
		if public, _ := tokens.Public(id); public != "" {
			all = append(all, bytes.TrimSpace([]byte(public)))
		}
	}
	return all
}

// halves are everything that a template can be given of tokens.
func halves(tokens *secret.Set) [][]byte {
	all := publics(tokens)
	for _, value := range tokens.Values() {
		all = append(all, bytes.TrimSpace(value.Reveal()))
	}
	return slices.DeleteFunc(all, func(half []byte) bool { return len(half) == 0 })
}

// dataOf are the values in the data of a Secret or a ConfigMap, as a pod sees them.
func dataOf(u *unstructured.Unstructured) map[string][]byte {
	isSecret, isConfig := u.GetKind() == "Secret", u.GetKind() == "ConfigMap"
	if u.GetAPIVersion() != "v1" || !isSecret && !isConfig {
		return nil
	}
	data, _ := u.Object["data"].(map[string]any)
	values := make(map[string][]byte, len(data))
	for _, key := range slices.Sorted(maps.Keys(data)) {
		text, isText := data[key].(string)
		if !isText {
			continue
		}
		values[key] = []byte(text)
		if isSecret {
			if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
				values[key] = plain
			}
		}
	}
	return values
}
