// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// Settings are the add-on's values that the steps act on.
type Settings struct {
	Replicas  int         `json:"replicas"`
	Storage   Keeping     `json:"storage"`
	Seal      Seal        `json:"seal"`
	Threshold int         `json:"threshold"`
	Holders   []HolderRef `json:"holders"`
	Roles     []Role      `json:"roles"`
	Audit     []Device    `json:"audit"`
	Engines   []Engine    `json:"engines"`
	Auth      []Method    `json:"auth"`
}

// Keeping is where Vault keeps its data.
type Keeping struct {
	Type string `json:"type"` // "consul" or "raft"; empty means "consul"
}

const raft = "raft"

// OnRaft reports whether each replica keeps the data itself.
func (s Settings) OnRaft() bool { return s.Storage.Type == raft }

// storage is what a replica calls it.
func (s Settings) storage() string { return cmp.Or(s.Storage.Type, "consul") }

// Seal is what opens Vault.
type Seal struct {
	Type string `json:"type"` // "shamir": a threshold of key shares; empty means that. "awskms", "transit": Vault asks that
}

const shamir = "shamir"

// Auto reports whether Vault opens itself. Then recovery keys are dealt in place of key
// shares: they make root tokens and new recovery keys, and open nothing.
func (s Settings) Auto() bool { return s.seal() != shamir }

func (s Settings) seal() string { return cmp.Or(s.Seal.Type, shamir) }

// keys is what is dealt to the holders.
func (s Settings) keys() string {
	if s.Auto() {
		return "recovery keys"
	}
	return "key shares"
}

// power is what a threshold of them does.
func (s Settings) power() string {
	if s.Auto() {
		return "make a root token"
	}
	return "unseal"
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
	for _, check := range []func(Settings, []string) error{checkHolders, checkThreshold, checkRoles, checkConfigured} {
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

// CheckKinds refuses holders of which some have PGP keys and some have not. Errors are *ValueError.
func CheckKinds(s Settings, pgp map[string]secret.PGPKey) error {
	for i, h := range s.Holders {
		if _, is := pgp[h.Operator]; is != (len(pgp) > 0 && !pgp[s.Holders[0].Operator].IsZero()) {
			return wrong([]any{"holders", i, "operator"}, "give all of them PGP keys, or age and SSH keys: Vault seals every share of a deal, or none",
				"of the holders %s and %s, one has a PGP key and the other has not", s.Holders[0].Operator, h.Operator)
		}
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

// Deal says who is to hold how many shares, and how many of them open Vault.
func (v *Vault) Deal() string {
	return fmt.Sprintf("%s; %d of %d %s", v.holderNames(), v.cfg.Settings.Threshold, v.shares(), v.cfg.Settings.power())
}

func (v *Vault) holderNames() string {
	names := make([]string, 0, len(v.cfg.Settings.Holders))
	for _, h := range v.cfg.Settings.Holders {
		names = append(names, fmt.Sprintf("%s (%d)", h.Operator, h.Shares))
	}
	return strings.Join(names, ", ")
}
