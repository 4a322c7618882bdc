// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/secret"
)

// releaseKey is the environment's own token: the key of the digests that name
// sealed objects.
func releaseKey() secret.Spec {
	return secret.Spec{Addon: addon.Environment, Name: "digest", Kind: secret.HMACKey}
}

// allSpecs are the tokens of all add-ons and the environment's own. Its
// authority is made whether or not an add-on asks for it today: what trusts it
// outside should not have to change on the day when one does.
func (a *App) allSpecs() []secret.Spec {
	specs := []secret.Spec{releaseKey(), addon.Authority(a.Name())}
	for _, c := range a.addons {
		specs = append(specs, c.specs...)
	}
	return specs
}

func (a *App) addonNames() []string {
	names := make([]string, 0, len(a.addons))
	for _, c := range a.addons {
		names = append(names, c.Name)
	}
	return names
}

// render renders every add-on with these tokens, for this site.
func (a *App) render(tokens *secret.Set, site addon.Site) ([][]addon.Object, error) {
	sets := make([][]addon.Object, 0, len(a.addons))
	for _, c := range a.addons {
		objects, err := addon.Render(addon.Input{
			Addon: c.Addon, Values: c.values, Environment: a.Name(), Site: site, Images: a.env.Spec.Images, Tokens: tokens,
		})
		if err != nil {
			return nil, err
		}
		sets = append(sets, objects)
	}
	return addon.Distinct(sets)
}

// wanted renders the release. Every add-on is rendered twice, the second time
// with other secrets: what differs outside of Secrets is a leak and is refused.
func (s *Session) wanted(ctx context.Context) (*release.Release, error) {
	tokens, err := s.tokens(ctx)
	if err != nil {
		return nil, err
	}
	sets, err := s.render(tokens, s.site())
	if err != nil {
		return nil, err
	}
	others, err := s.render(tokens.WithFakeSecrets("twice"), s.site())
	if err != nil {
		return nil, err
	}
	parts := make([]release.Part, 0, len(sets))
	for i, c := range s.addons {
		if err := addon.CheckSecrets(sets[i], others[i]); err != nil {
			return nil, err
		}
		part := release.Part{
			Addon: c.Name, Version: c.Version, Rules: rulesOf(c.Addon), Objects: plain(sets[i]),
			Tokens: tokenKeys(c.Name, sets[i], others[i], tokens),
		}
		parts = append(parts, part)
	}
	key, _ := tokens.Secret(releaseKey().ID())
	return release.New(s.Name(), parts, key)
}

func plain(objects []addon.Object) []*unstructured.Unstructured {
	all := make([]*unstructured.Unstructured, 0, len(objects))
	for _, o := range objects {
		all = append(all, o.Unstructured)
	}
	return all
}
