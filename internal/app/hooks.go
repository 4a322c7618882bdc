// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// hook is what a name in an add-on's hooks stands for.
type hook struct {
	// check refuses values that the add-on's schema lets pass and the hook
	// cannot use, offline.
	check func(a *App, c chosen, call addon.Hook) error
	// steps come after the add-on's objects are ready. Making them also tells
	// the session what to report and what to close.
	steps func(s *Session, c chosen, call addon.Hook) ([]converge.Item, error)
}

// hooks are all the hooks there are, by the name that addon.yaml uses.
func hooks() map[string]hook {
	return map[string]hook{
		"consul.dns":      {check: needs("namespace", "configMap", "service"), steps: dnsSteps}, // names of Consul through the cluster's CoreDNS
		"consul.quorum":   {check: checkConsul, steps: consulSteps},                             // bootstrap, ACLs, a healthy quorum
		"ingress.routes":  {check: needs("class", "domain"), steps: ingressSteps},               // a request through every controller; what is claimed twice
		"vault.pods":      {check: checkVault, steps: vaultStep("vault/pods")},                  // those of an older revision that do not even run
		"vault.init":      {check: checkVault, steps: vaultStep("vault/init")},                  // shares sealed and stored before anything else
		"vault.unseal":    {check: checkVault, steps: vaultStep("vault/unseal")},                // every replica
		"vault.rollout":   {check: checkVault, steps: vaultStep("vault/rollout")},               // pods of an older revision, one at a time
		"vault.configure": {check: checkVault, steps: vaultStep("vault/configure")},             // policies, auth, audit; root token revoked
	}
}

// needs refuses a hook that lacks one of these arguments.
func needs(names ...string) func(*App, chosen, addon.Hook) error {
	return func(_ *App, c chosen, call addon.Hook) error {
		for _, name := range names {
			if call.Text(name) == "" {
				return fmt.Errorf("%s: %s needs %s", c.At("hooks"), call.Use, name)
			}
		}
		return nil
	}
}

// askChecks are for what add-ons ask of others, by the others' names.
func askChecks() map[string]func(*addon.Addon, map[string]any) error {
	return map[string]func(*addon.Addon, map[string]any) error{consulOwner: lintConsul, vaultOwner: lintVault}
}

// checkHooks refuses hooks that nobody knows and values that they cannot use.
func (a *App) checkHooks() error {
	known := hooks()
	for _, c := range a.addons {
		for i, call := range c.hooks {
			h, ok := known[call.Use]
			if !ok {
				return hint.With(fmt.Errorf("%s: there is no hook %q", c.At("hooks", i, "use"), call.Use), "the hooks are %s", strings.Join(sortedKeys(known), ", "))
			}
			if err := h.check(a, c, call); err != nil {
				return err
			}
		}
	}
	return nil
}

// openHooks makes the steps of every add-on's hooks.
func (s *Session) openHooks() error {
	known := hooks()
	s.hooked, s.reports, s.finals = map[string][][]converge.Item{}, map[string][]report{}, nil
	s.beside = map[string][]converge.Item{}
	for _, c := range s.addons {
		for _, call := range c.hooks {
			steps, err := known[call.Use].steps(s, c, call)
			if err != nil {
				return err
			}
			s.hooked[c.Name] = append(s.hooked[c.Name], steps)
		}
	}
	return nil
}
