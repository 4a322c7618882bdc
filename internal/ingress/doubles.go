// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Double is something that several routes claim. Which of them is asked is not
// for their owners to see, so it is told.
type Double struct {
	Host, Path string
	By         []Claimant // oldest first
}

// Claimant is a route that claims something.
type Claimant struct {
	Kind, Namespace, Name string
	Since                 time.Time
}

func (c Claimant) String() string {
	return fmt.Sprintf("%s %s/%s (since %s)", c.Kind, c.Namespace, c.Name, c.Since.UTC().Format("2006-01-02 15:04:05 MST"))
}

func (d Double) String() string {
	by := make([]string, len(d.By))
	for i, c := range d.By {
		by[i] = c.String()
	}
	return fmt.Sprintf("%s%s is claimed by %s", d.Host, d.Path, strings.Join(by, " and by "))
}

// claim is one thing that a route asks for: requests to a port, for a host, that
// match. Two are the same when they are equal, never by one's being wider.
type claim struct {
	port  int64
	host  string // "*" for any
	match string // the kind of path and whatever else has to match
	path  string
}

var networking = schema.GroupVersion{Group: "networking.k8s.io", Version: "v1"}

var gatewayAPI = schema.GroupVersion{Group: "gateway.networking.k8s.io", Version: "v1"}

// doubles reads the routes of the class and says what more than one claims.
func (i *Ingress) doubles(ctx context.Context) ([]Double, error) {
	ingresses, err := i.Cluster.List(ctx, networking.WithKind("Ingress"))
	if err != nil {
		return nil, err
	}
	gateways, err := i.Cluster.List(ctx, gatewayAPI.WithKind("Gateway"))
	if err != nil {
		return nil, err
	}
	routes, err := i.Cluster.List(ctx, gatewayAPI.WithKind("HTTPRoute"))
	if err != nil {
		return nil, err
	}
	return findDoubles(i.Class, ingresses, gateways, routes), nil
}

func findDoubles(class string, ingresses, gateways, routes []*unstructured.Unstructured) []Double {
	by := map[claim][]Claimant{}
	add := func(o *unstructured.Unstructured, claims []claim) {
		who := Claimant{o.GetKind(), o.GetNamespace(), o.GetName(), o.GetCreationTimestamp().Time}
		for _, c := range claims {
			if !slices.Contains(by[c], who) {
				by[c] = append(by[c], who)
			}
		}
	}
	for _, o := range ingresses {
		add(o, ingressClaims(class, o))
	}
	listeners := listenersOf(class, gateways)
	for _, o := range routes {
		add(o, routeClaims(listeners, o))
	}
	merged := map[string]*Double{} // the same on both ports is told once
	for c, who := range by {
		if len(who) < 2 {
			continue
		}
		key := c.host + " " + c.path
		if merged[key] == nil {
			merged[key] = &Double{Host: c.host, Path: c.path}
		}
		for _, w := range who {
			if !slices.Contains(merged[key].By, w) {
				merged[key].By = append(merged[key].By, w)
			}
		}
	}
	all := make([]Double, 0, len(merged))
	for _, d := range merged {
		slices.SortFunc(d.By, func(a, b Claimant) int {
			return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.String(), b.String()))
		})
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b Double) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Path, b.Path)) })
	return all
}
