// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestParseSettings proves that each value that the schema lets pass and Vault or
// the holders cannot live with is refused, with the path that leads to it.
func TestParseSettings(t *testing.T) {
	for _, test := range []struct {
		name, values, custodian string
		path, want              string // want is the error, "" for none
	}{
		{name: "custodian", values: "{replicas: 3, threshold: 2}", custodian: "alice"},
		{name: "holders", values: "{threshold: 2, holders: [{operator: alice, shares: 2}, {operator: bob}]}"},
		{name: "one share", values: "{threshold: 1, holders: [{operator: alice}]}"},
		{
			name: "nobody", values: "{threshold: 2}",
			path: "[holders]", want: "nobody holds Vault's key shares",
		},
		{
			name: "stranger", values: "{threshold: 1, holders: [{operator: alice}, {operator: eve}]}",
			path: "[holders 1 operator]", want: "holder eve is no operator",
		},
		{
			name: "twice", values: "{threshold: 1, holders: [{operator: alice}, {operator: alice}]}",
			path: "[holders 1 operator]", want: "holder alice is listed twice",
		},
		{
			name: "threshold above", values: "{threshold: 4, holders: [{operator: alice, shares: 2}, {operator: bob}]}",
			path: "[threshold]", want: "threshold 4 is above the 3 shares",
		},
		{
			name: "threshold above the custodian's", values: "{threshold: 4}", custodian: "alice",
			path: "[threshold]", want: "threshold 4 is above the 3 shares",
		},
		{
			name: "threshold absent", values: "{holders: [{operator: alice}]}",
			path: "[threshold]", want: "threshold 0 is below 1",
		},
		{
			name: "threshold one", values: "{threshold: 1, holders: [{operator: alice, shares: 2}]}",
			path: "[threshold]", want: "threshold 1 makes 2 shares the same key, and Vault refuses it",
		},
		{
			name: "too many", values: "{threshold: 2, holders: [{operator: alice, shares: 200}, {operator: bob, shares: 56}]}",
			path: "[holders]", want: "256 key shares are too many",
		},
		{
			name: "role of our own", values: "{threshold: 1, holders: [{operator: bob}], roles: [{name: clusterup}]}",
			path: "[roles 0 name]", want: "role clusterup is listed twice, or is clusterup's own",
		},
		{
			name: "wrong type", values: "{threshold: two}",
			path: "[]", want: "the values of vault: json: cannot unmarshal string into Go struct field Settings.threshold of type int",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var values map[string]any
			if err := yaml.Unmarshal([]byte(test.values), &values); err != nil {
				t.Fatal(err)
			}
			_, err := ParseSettings(values, []string{"alice", "bob"}, test.custodian)
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var at *ValueError
			if !errors.As(err, &at) {
				t.Fatalf("%v", err)
			}
			if path := fmt.Sprint(at.Path); path != test.path || err.Error() != test.want {
				t.Errorf("%s at %s, want %s at %s", err, path, test.want, test.path)
			}
		})
	}
}
