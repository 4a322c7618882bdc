// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// Ask is what one add-on asks of Consul, in the section consul of its addon.yaml:
//
//	consul:
//	  policies: [{name: vault, file: files/consul-policy.hcl}]
//	  tokens: [{token: consul, policies: [vault], description: Vault storage}]
type Ask struct {
	Addon    string
	Policies []Policy
	Tokens   []Token
}

// Policy is an ACL policy: its rules are in the file, or here.
type Policy struct {
	Name        string `json:"name"`
	File        string `json:"file"` // below the add-on's folder
	Rules       string `json:"rules"`
	Description string `json:"description"`
}

// Token is an ACL token. What it is called here is one of the add-on's own
// tokens, of kind acl-token, which gives SecretID and AccessorID.
type Token struct {
	Token       string   `json:"token"`
	Policies    []string `json:"policies"`
	Description string   `json:"description"`
}

// ParseAsk reads the section consul of an add-on. read gives the content of a
// file by its path in the add-on's folder.
func ParseAsk(addon string, section any, read func(path string) ([]byte, error)) (Ask, error) {
	ask := Ask{Addon: addon}
	fail := func(err error) (Ask, error) {
		return Ask{}, fmt.Errorf("section consul of add-on %s: %w", addon, err)
	}
	data, err := json.Marshal(section)
	if err != nil {
		return fail(err)
	}
	var said struct {
		Policies []Policy `json:"policies"`
		Tokens   []Token  `json:"tokens"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&said); err != nil && !errors.Is(err, io.EOF) {
		return fail(errors.New(strings.TrimPrefix(err.Error(), "json: ")))
	}
	for _, policy := range said.Policies {
		if (policy.File == "") == (policy.Rules == "") {
			return fail(fmt.Errorf("policy %q needs either a file or rules", policy.Name))
		}
		if policy.File != "" {
			rules, err := read(policy.File)
			if err != nil {
				return fail(fmt.Errorf("policy %q: %w", policy.Name, err))
			}
			policy.Rules = string(rules)
		}
		ask.Policies = append(ask.Policies, policy)
	}
	ask.Tokens = said.Tokens
	return ask, nil
}

// desired is what all add-ons ask for together.
type desired struct {
	policies []Policy // sorted by name
	tokens   []token  // sorted by id
}

type token struct {
	id          string // "vault/consul"
	description string
	policies    []string // sorted
}

var policyName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// combine checks what add-ons ask for against each other.
func combine(asks []Ask) (desired, error) {
	var all desired
	owner := make(map[string]string)
	for _, ask := range asks {
		for _, policy := range ask.Policies {
			switch other, taken := owner[policy.Name]; {
			case !policyName.MatchString(policy.Name):
				return desired{}, fmt.Errorf("add-on %s: %q cannot be the name of a Consul policy", ask.Addon, policy.Name)
			case policy.Name == managementPolicy || policy.Name == "builtin":
				return desired{}, fmt.Errorf("add-on %s: the Consul policy %s is Consul's own", ask.Addon, policy.Name)
			case taken:
				return desired{}, fmt.Errorf("add-ons %s and %s both ask for a Consul policy %s", other, ask.Addon, policy.Name)
			}
			owner[policy.Name] = ask.Addon
			policy.Rules = strings.TrimSpace(policy.Rules) + "\n"
			policy.Description = mark(ask.Addon, policy.Description)
			all.policies = append(all.policies, policy)
		}
	}
	ids := make(map[string]bool)
	for _, ask := range asks {
		for _, t := range ask.Tokens {
			id := ask.Addon + "/" + t.Token
			switch {
			case t.Token == "" || strings.Contains(t.Token, "/"):
				return desired{}, hint.With(fmt.Errorf("add-on %s: %q is not the name of one of its tokens", ask.Addon, t.Token),
					"declare it under tokens, kind acl-token, and write its name")
			case ids[id]:
				return desired{}, fmt.Errorf("add-on %s asks twice for the Consul token %s", ask.Addon, t.Token)
			}
			for _, name := range t.Policies {
				if owner[name] == "" {
					return desired{}, hint.With(fmt.Errorf("the Consul token %s wants the policy %q, which no add-on asks for", id, name),
						"policies that add-ons ask for: %s", strings.Join(slices.Sorted(maps.Keys(owner)), ", "))
				}
			}
			ids[id] = true
			policies := slices.Compact(slices.Sorted(slices.Values(t.Policies)))
			all.tokens = append(all.tokens, token{id: id, description: mark(ask.Addon, t.Description), policies: policies})
		}
	}
	slices.SortFunc(all.policies, func(a, b Policy) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(all.tokens, func(a, b token) int { return strings.Compare(a.id, b.id) })
	return all, nil
}

// mark says in Consul whose a policy or a token is.
func mark(addon, description string) string {
	if description == "" {
		return "clusterup: " + addon
	}
	return "clusterup: " + addon + ": " + description
}
