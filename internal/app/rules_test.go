// SPDX-License-Identifier: Apache-2.0

package app

import (
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
)

// Every rule names objects alike: by kind and name, or by the kind for all of it.
func TestRulesNameObjectsAlike(t *testing.T) {
	web, other := kube.Ref{Kind: "Deployment", Name: "web"}, kube.Ref{Kind: "Deployment", Name: "other"}
	job := kube.Ref{Kind: "Job", Name: "web"}
	for _, test := range []struct {
		pattern string
		want    map[kube.Ref]bool
	}{
		{"Deployment/web", map[kube.Ref]bool{web: true, other: false, job: false}},
		{"Deployment", map[kube.Ref]bool{web: true, other: true, job: false}},
	} {
		rules := release.Rules{
			Replace: []string{test.pattern}, Ignore: []release.Ignore{{Object: test.pattern, Fields: []string{"spec.x"}}},
			Ready: release.Ready{Skip: []string{test.pattern}, Objects: []release.ReadyObject{{Object: test.pattern, Timeout: "7s"}}},
		}
		options := (&Session{}).planOptions(rules, nil)
		for r, want := range test.want {
			if options.Replace(r) != want || (len(options.Ignore(r)) > 0) != want || options.Wait.Skip(r) != want || (options.Wait.Rule(r).Timeout == 7*time.Second) != want {
				t.Errorf("%s names %s/%s differently", test.pattern, r.Kind, r.Name)
			}
		}
	}
}
