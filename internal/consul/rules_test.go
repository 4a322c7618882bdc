// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"fmt"
	"testing"
)

// Rules that Consul would pass over, or refuse only when they reach it, are
// named offline with their place; right ones in HCL and JSON are not.
func TestRulesAreChecked(t *testing.T) {
	for _, right := range []string{
		"",
		"# nothing\n",
		`acl = "write"` + "\n" + `operator = "read"` + "\n" + `keyring = "deny"` + "\n" + `mesh = "read"` + "\n" + `peering = "read"`,
		`acl = "read" key_prefix "" { policy = "list" } key "a" { policy = "deny" }`,
		`service "web" { policy = "write" intentions = "read" } service_prefix "" { policy = "read" }`,
		`node "a" { policy = "read" } node_prefix "" { policy = "read" } agent "a" { policy = "read" } agent_prefix "" { policy = "write" }`,
		`session_prefix "" { policy = "read" } session "a" { policy = "write" } event "a" { policy = "write" } event_prefix "" { policy = "read" }`,
		`query "" { policy = "read" } query_prefix "" { policy = "write" }`,
		`key_prefix "a" { policy = "read" } key_prefix "b" { policy = "read" }`,
		`key_prefix { "a/" { policy = "read" } }`,
		`{"acl": "read", "key_prefix": {"a/": {"policy": "read"}, "b/": {"policy": "write"}}}`,
		`{"key": [{"a": {"policy": "read"}}, {"b": {"policy": "list"}}]}`,
	} {
		if wrong := checkRules(right); wrong != nil {
			t.Errorf("%s\n%+v", right, *wrong)
		}
	}
	for text, want := range map[string]string{
		"\n  key_prefx \"\" { policy = \"read\" }":            `2:3 Consul has no rules for "key_prefx" (did you mean key_prefix?)`,
		`identity "a" { policy = "read" }`:                    `1:1 Consul has no rules for "identity" (there are: acl, agent, agent_prefix, event, event_prefix, key, key_prefix, keyring, mesh, node, node_prefix, operator, peering, query, query_prefix, service, service_prefix, session, session_prefix)`,
		"key \"a\" {\n  policy = \"raed\"\n}":                 `2:12 policy cannot be "raed" (did you mean read?)`,
		`node "a" { policy = "list" }`:                        `1:21 policy cannot be "list" (there are: deny, read, write)`,
		`acl = "Read"`:                                        `1:7 acl cannot be "Read" (did you mean read?)`,
		`acl = "read"` + "\n" + `acl = "write"`:               `2:1 acl is said twice ()`,
		`acl { policy = "read" }`:                             `1:1 acl has to be one of deny, read, write, in quotes ()`,
		`operator = true`:                                     `1:1 operator has to be one of deny, read, write, in quotes ()`,
		`key_prefix = "read"`:                                 `1:1 key_prefix needs a name and a block: key_prefix "" { policy = "read" } ()`,
		`key "a" "b" { policy = "read" }`:                     `1:1 key needs a name and a block: key "" { policy = "read" } ()`,
		`key "a" { intentions = "read" }`:                     `1:11 key has no "intentions" (there are: policy)`,
		`service "a" { intention = "read" }`:                  `1:15 service has no "intention" (did you mean intentions?)`,
		`service "a" { intentions = "read" }`:                 `1:1 service "a" has no policy ()`,
		`key "a" { policy = "read" policy = "write" }`:        `1:27 policy is said twice ()`,
		"acl = \"read\"\nkey \"a\" { policy = \"read\"":       `2:27 object expected closing RBRACE got: EOF ()`,
		`{"key_prefix": {"a/": {"policy": "reed"}}}`:          `1:1 policy cannot be "reed" (did you mean read?)`,
		`{"acl": "read"`:                                      `1:14 unexpected end of JSON input ()`,
		`{"nodes": {"a": {"policy": "read"}}}`:                `1:1 Consul has no rules for "nodes" (did you mean node?)`,
		"acl = \"read\"\nkey_prefix \"\" { policy = read }":   `2:26 Unknown token: 2:26 IDENT read ()`,
		"key_prefix \"\" {\n  policy = \"read\"\n}\nacl = []": `4:1 acl has to be one of deny, read, write, in quotes ()`,
	} {
		got := "nothing"
		if wrong := checkRules(text); wrong != nil {
			got = fmt.Sprintf("%d:%d %s (%s)", wrong.line, wrong.column, wrong.message, wrong.hint)
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

// Whatever stands in a file of rules, reading it ends with an answer.
func FuzzRules(f *testing.F) {
	for _, seed := range []string{`key "a" { policy = "read" }`, `{"key": {"a": {"policy": "read"}}}`, `acl = "read"`, "a = <<X\nb\nX\n", `a = [1, {}]`, `"" = ""`, `{"a": [{"b": 1}]}`, "\x00", `key "\u12" {}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if wrong := checkRules(text); wrong != nil && (wrong.line < 1 || wrong.column < 1 || wrong.message == "") {
			t.Errorf("%+v", *wrong)
		}
	})
}
