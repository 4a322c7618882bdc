// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// Settings are the add-on's values that the steps act on.
type Settings struct {
	Replicas  int         `json:"replicas"`
	Threshold int         `json:"threshold"`
	Holders   []HolderRef `json:"holders"`
	Roles     []Role      `json:"roles"`
}

// HolderRef gives an operator key shares.
type HolderRef struct {
	Operator string `json:"operator"`
	Shares   int    `json:"shares"` // zero means one
}

// Role lets pods log in through Kubernetes auth.
type Role struct {
	Name            string   `json:"name"`
	ServiceAccounts []string `json:"serviceAccounts"`
	Namespaces      []string `json:"namespaces"`
	Policies        []string `json:"policies"`
	Audience        string   `json:"audience"` // of the pod's token; empty means "vault"
	TTL             int      `json:"ttl"`      // seconds; zero means an hour
}

// ValueError is a value that the schema lets pass and the steps cannot use. Path
// leads to it inside the add-on's values.
type ValueError struct {
	Path []any
	Err  error
}

func (e *ValueError) Error() string { return e.Err.Error() }
func (e *ValueError) Unwrap() error { return e.Err }

// custodianShares are dealt to the custodian when no holder is listed.
const custodianShares = 3

// ParseSettings reads merged and schema-checked values and checks what the
// schema cannot: the holders against the environment's operators, and the
// threshold against the shares. A custodian, "" for none, holds all shares when
// no holder is listed. Errors are *ValueError.
func ParseSettings(values map[string]any, operators []string, custodian string) (Settings, error) {
	var s Settings
	data, err := json.Marshal(values)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, &ValueError{Err: fmt.Errorf("the values of vault: %w", err)}
	}
	if len(s.Holders) == 0 && custodian != "" {
		s.Holders = []HolderRef{{Operator: custodian, Shares: custodianShares}}
	}
	for i := range s.Holders {
		s.Holders[i].Shares = max(s.Holders[i].Shares, 1)
	}
	for _, check := range []func(Settings, []string) error{checkHolders, checkThreshold, checkRoles} {
		if err := check(s, operators); err != nil {
			return s, err
		}
	}
	return s, nil
}

func wrong(path []any, suggestion, format string, args ...any) error {
	return &ValueError{Path: path, Err: hint.With(fmt.Errorf(format, args...), "%s", suggestion)}
}

func checkHolders(s Settings, operators []string) error {
	known := "the operators are " + strings.Join(operators, ", ")
	if len(s.Holders) == 0 {
		return wrong([]any{"holders"}, known, "nobody holds Vault's key shares")
	}
	seen := map[string]bool{}
	for i, h := range s.Holders {
		at := []any{"holders", i, "operator"}
		switch {
		case !slices.Contains(operators, h.Operator):
			return wrong(at, known, "holder %s is no operator", h.Operator)
		case seen[h.Operator]:
			return wrong(at, "give it more shares instead", "holder %s is listed twice", h.Operator)
		}
		seen[h.Operator] = true
	}
	return nil
}

func checkThreshold(s Settings, _ []string) error {
	at, shares := []any{"threshold"}, s.shares()
	switch {
	case shares > 255:
		return wrong([]any{"holders"}, "Vault deals 255 at most", "%d key shares are too many", shares)
	case s.Threshold < 1:
		return wrong(at, "", "threshold %d is below 1", s.Threshold)
	case s.Threshold > shares:
		return wrong(at, "lower it, or give the holders more shares", "threshold %d is above the %d shares", s.Threshold, shares)
	case s.Threshold == 1 && shares > 1:
		return wrong(at, "with threshold 1 deal one share", "threshold 1 makes %d shares the same key, and Vault refuses it", shares)
	}
	return nil
}

func checkRoles(s Settings, _ []string) error {
	seen := map[string]bool{ownRole: true}
	for i, r := range s.Roles {
		if seen[r.Name] {
			return wrong([]any{"roles", i, "name"}, "", "role %s is listed twice, or is clusterup's own", r.Name)
		}
		seen[r.Name] = true
	}
	return nil
}

func (s Settings) shares() int {
	n := 0
	for _, h := range s.Holders {
		n += h.Shares
	}
	return n
}

func (v *Vault) shares() int { return v.cfg.Settings.shares() }

func (v *Vault) holderNames() string {
	names := make([]string, 0, len(v.cfg.Settings.Holders))
	for _, h := range v.cfg.Settings.Holders {
		names = append(names, fmt.Sprintf("%s (%d)", h.Operator, h.Shares))
	}
	return strings.Join(names, ", ")
}
