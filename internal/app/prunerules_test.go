// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/environment"
	"clusterup.dev/clusterup/internal/kube"
)

// A plan that was made without the cluster refuses nothing yet and deletes nothing
// itself. What it names may be deleted when its turn comes, whatever version is served
// then, and nothing else; what is protected is refused then.
func TestBlindPruning(t *testing.T) {
	named := kube.Ref{APIVersion: "example.com/v1", Kind: "Gauge", Namespace: "demo", Name: "one"}
	there := named
	there.APIVersion, there.UID = "example.com/v2", "its-uid"
	other := there
	other.Name = "other"
	blind := pruning{blind: true, going: []going{{Ref: named, protected: true}}}
	s := &Session{App: &App{env: &environment.Environment{}}}
	if err := s.Allowed([]converge.Planned{{Plan: converge.Plan{Basis: blind}}}); err != nil {
		t.Errorf("refused before anything is known: %v", err)
	}
	if err := s.wasShown(blind); !errors.Is(err, converge.ErrStale) {
		t.Errorf("a plan without a cluster is carried out: %v", err)
	}
	if err := s.wasShown(pruning{going: []going{{Ref: there}}}); err != nil {
		t.Error(err)
	}
	if err := s.wasShown(pruning{going: []going{{Ref: there}, {Ref: other}}}); !errors.Is(err, converge.ErrStale) {
		t.Errorf("what was not named is deleted: %v", err)
	}
	if err := s.Allowed(nil); err != nil || !errors.Is(s.wasShown(pruning{going: []going{{Ref: there}}}), converge.ErrStale) {
		t.Error("a run whose plan of the step failed deletes something")
	}
}
