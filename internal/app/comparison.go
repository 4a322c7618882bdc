// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
)

// Comparison is what differs between two releases.
type Comparison struct {
	From   string       `json:"from"` // a digest; empty when there is no release yet
	To     string       `json:"to"`
	Addons []AddonDelta `json:"addons"` // those that differ
}

// AddonDelta is what differs in one add-on.
type AddonDelta struct {
	Name    string            `json:"name"`
	From    string            `json:"from,omitempty"` // its version; empty when it is new
	To      string            `json:"to,omitempty"`
	Changes []converge.Change `json:"changes"`
}

// Compare compares two releases, object by object and field by field; values of Secrets
// are masked. Without a name, from is the current one; to is what a create would stage.
func (s *Session) Compare(ctx context.Context, from, to string) (Comparison, error) {
	old, err := s.compared(ctx, from)
	if err != nil {
		return Comparison{}, err
	}
	next, err := s.stagedOr(ctx, to)
	if err != nil {
		return Comparison{}, err
	}
	return compare(old, next), nil
}

// compared is the release that is compared with; one without parts when there is none
// yet and none was named.
func (s *Session) compared(ctx context.Context, name string) (*release.Release, error) {
	if name != "" {
		return s.fetchNamed(ctx, name)
	}
	current, err := (&release.Library{Bucket: s.bucket}).Current(ctx)
	if err != nil {
		return nil, err
	}
	if current.Digest == "" {
		return &release.Release{}, nil
	}
	return s.fetchNamed(ctx, current.Digest)
}

func (s *Session) stagedOr(ctx context.Context, name string) (*release.Release, error) {
	if name != "" {
		return s.fetchNamed(ctx, name)
	}
	return s.stagedNext(ctx)
}

func compare(old, next *release.Release) Comparison {
	c := Comparison{From: old.Digest, To: next.Digest, Addons: []AddonDelta{}}
	before := map[string]release.Part{}
	for _, part := range old.Parts {
		before[part.Addon] = part
	}
	for _, part := range next.Parts {
		c.add(before[part.Addon], part)
		delete(before, part.Addon)
	}
	for _, part := range old.Parts {
		if _, gone := before[part.Addon]; gone {
			c.add(part, release.Part{Addon: part.Addon})
		}
	}
	return c
}

func (c *Comparison) add(old, next release.Part) {
	d := AddonDelta{Name: next.Addon, From: old.Version, To: next.Version, Changes: []converge.Change{}}
	before := map[kube.Ref]*unstructured.Unstructured{}
	for _, o := range old.Objects {
		before[anyVersion(release.RefOf("", o))] = o
	}
	for _, o := range next.Objects {
		key := anyVersion(release.RefOf("", o))
		was, known := before[key]
		delete(before, key)
		change := converge.Change{Subject: kube.RefOf(o).String(), Action: converge.Create}
		if known {
			change.Action, change.Fields = converge.Update, kube.Differences(was, o)
			if was.GetAPIVersion() != o.GetAPIVersion() {
				change.Note = was.GetAPIVersion() + " becomes " + o.GetAPIVersion()
			}
			if len(change.Fields) == 0 && change.Note == "" {
				continue
			}
		}
		d.Changes = append(d.Changes, change)
	}
	for _, o := range old.Objects {
		if _, gone := before[anyVersion(release.RefOf("", o))]; gone {
			d.Changes = append(d.Changes, converge.Change{Subject: kube.RefOf(o).String(), Action: converge.Delete})
		}
	}
	if d.From != d.To || len(d.Changes) > 0 {
		c.Addons = append(c.Addons, d)
	}
}
