// SPDX-License-Identifier: Apache-2.0

package app

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
)

// rulesOf are how an add-on's folder wants its objects to be treated.
func rulesOf(a *addon.Addon) release.Rules {
	rules := release.Rules{
		Needs: a.Needs, Replace: a.Replace, Protect: a.Protect,
		Ready: release.Ready{Timeout: a.Ready.Timeout.String(), Skip: a.Ready.Skip},
	}
	for _, i := range a.Ignore {
		rules.Ignore = append(rules.Ignore, release.Ignore(i))
	}
	for _, o := range a.Ready.Objects {
		rule := release.ReadyObject{Object: o.Object, Field: o.Field, Is: o.Is}
		if o.Timeout > 0 {
			rule.Timeout = o.Timeout.String()
		}
		rules.Ready.Objects = append(rules.Ready.Objects, rule)
	}
	return rules
}

func (s *Session) planOptions(rules release.Rules, coming []*unstructured.Unstructured) kube.Options {
	return kube.Options{
		Refuse:  s.notOurs,
		Coming:  coming,
		Wait:    waitOptions(rules),
		Replace: func(r kube.Ref) bool { return named(rules.Replace, r) },
		Ignore: func(r kube.Ref) []string {
			var fields []string
			for _, i := range rules.Ignore {
				if release.Names(i.Object, r.Kind, r.Name) {
					fields = append(fields, i.Fields...)
				}
			}
			return fields
		},
	}
}

// waitOptions reads times that rulesOf wrote; one that cannot be read is the
// usual one.
func waitOptions(rules release.Rules) kube.WaitOptions {
	timeout, _ := time.ParseDuration(rules.Ready.Timeout)
	return kube.WaitOptions{
		Timeout: timeout,
		Skip:    func(r kube.Ref) bool { return named(rules.Ready.Skip, r) },
		Rule: func(r kube.Ref) kube.ReadyRule {
			for _, o := range rules.Ready.Objects {
				if release.Names(o.Object, r.Kind, r.Name) {
					own, _ := time.ParseDuration(o.Timeout)
					return kube.ReadyRule{Timeout: own, Field: o.Field, Is: o.Is}
				}
			}
			return kube.ReadyRule{}
		},
	}
}

// named reports whether one of the patterns names the object.
func named(patterns []string, r kube.Ref) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return release.Names(pattern, r.Kind, r.Name) })
}
