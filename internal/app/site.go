// SPDX-License-Identifier: Apache-2.0

package app

import (
	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/secret"
)

// renderSpecs are the tokens that templates can be given: those that are made, and
// the key of pods to a local store, which the store makes itself.
func (a *App) renderSpecs() []secret.Spec {
	specs := a.allSpecs()
	if a.env.LocalStore() {
		specs = append(specs, addon.StoreKey())
	}
	return specs
}

// offlineSite is the site with placeholders for what only exists once the
// environment does: the address of a local store, and the key of an operator who is
// whoever runs.
func (a *App) offlineSite() addon.Site {
	spec := a.env.Spec.Store
	site := addon.Site{Store: addon.Store{
		Endpoint: spec.Endpoint, Region: spec.Region, Bucket: spec.Bucket, Prefix: spec.Prefix, PathStyle: spec.PathStyle,
	}}
	if a.env.LocalStore() {
		site.Store = addon.Store{
			Endpoint: "<endpoint of the local store>", Region: "<region of the local store>", Bucket: "<bucket of the local store>",
			Prefix: a.Name(), PathStyle: true, CA: "<certificate of the local store>", Key: true,
		}
	}
	for _, o := range a.env.Spec.Operators {
		switch {
		case o.Age != "":
			site.Recipients = append(site.Recipients, o.Age)
		case o.SSH != "":
			site.Recipients = append(site.Recipients, o.SSH)
		case o.PGP != "": // opens no tokens
		default:
			site.Recipients = append(site.Recipients, "<public key of "+o.Name+">")
		}
	}
	return site
}

// site is the site with all that is known by now.
func (s *Session) site() addon.Site {
	site := s.offlineSite()
	if s.env.LocalStore() && s.store.Pods.Endpoint != "" {
		site.Store.Endpoint, site.Store.CA = s.store.Pods.Endpoint, s.store.Pods.CA
		site.Store.Region, site.Store.Bucket = s.store.Region, s.store.Bucket
	}
	if len(s.keys) > 0 {
		site.Recipients = nil
		for _, r := range s.everybody() {
			site.Recipients = append(site.Recipients, r.String())
		}
	}
	return site
}

// withStoreKey adds the key of pods to a local store; a placeholder where there is
// no store yet.
func (s *Session) withStoreKey(tokens *secret.Set) *secret.Set {
	if !s.env.LocalStore() {
		return tokens
	}
	key, id := s.store.Pods.SecretKey, s.store.Pods.AccessKey
	if id == "" {
		key, id = secret.NewString("<"+addon.EnvironmentStore+">"), "<public "+addon.EnvironmentStore+">"
	}
	return tokens.With(addon.StoreKey(), key, id)
}
