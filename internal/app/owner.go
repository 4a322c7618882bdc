// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/release"
)

// notOurs refuses an object that another environment put into the same cluster:
// all environments share one field manager, so the API server would see no
// conflict.
func (s *Session) notOurs(live *unstructured.Unstructured) error {
	owner, labelled := live.GetLabels()[addon.LabelEnvironment]
	if !labelled || owner == s.Name() {
		return nil
	}
	return hint.With(fmt.Errorf("%s belongs to the environment %s in the same cluster", kube.RefOf(live), owner),
		"check spec.cluster; two environments with the same add-ons cannot share a cluster")
}

// deletable reports whether an object that a release named may be deleted: it carries
// this environment's label, and, if others' things go with it, nobody else had a hand in
// it. A namespace or a definition that was there before, that others manage too, or of
// which they have objects, stays; stays says so.
func (s *Session) deletable(ctx context.Context, cluster *kube.Cluster, live *unstructured.Unstructured) (may bool, stays string, err error) {
	if live.GetLabels()[addon.LabelEnvironment] != s.Name() {
		return false, "", nil
	}
	isDefinition := live.GetKind() == "CustomResourceDefinition"
	if !isDefinition && live.GetKind() != "Namespace" {
		return true, "", nil
	}
	if manager := sharedWith(live); manager != "" {
		return false, fmt.Sprintf("%s stays: %s manages it too", kube.RefOf(live), manager), nil
	}
	if !isDefinition {
		return true, "", nil
	}
	theirs, err := cluster.Instance(ctx, live, addon.LabelEnvironment+"!="+s.Name())
	if err == nil && theirs.Name != "" {
		return false, fmt.Sprintf("%s stays: %s is not of this environment and would go with it", kube.RefOf(live), theirs), nil
	}
	return err == nil, "", err
}

// sharedWith names a manager other than clusterup and the API server's own; "" when
// there is none.
func sharedWith(live *unstructured.Unstructured) string {
	own := []string{kube.Manager, "kube-apiserver", "kube-controller-manager"}
	for _, entry := range live.GetManagedFields() {
		if entry.Subresource == "" && !slices.Contains(own, entry.Manager) {
			return entry.Manager
		}
	}
	return ""
}

// alive gives, at the place of each of refs, the object that is still in the cluster
// and may be deleted, with its UID: what somebody puts in its place is not theirs. A
// line of stays tells each that is left although it is this environment's.
func (s *Session) alive(ctx context.Context, cluster *kube.Cluster, refs []release.Ref) (found []kube.Ref, stays []string, err error) {
	found, lines := make([]kube.Ref, len(refs)), make([]string, len(refs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i, r := range refs {
		group.Go(func() error {
			live, err := cluster.Get(ctx, kubeRef(r))
			if err != nil || live == nil {
				return err
			}
			may, line, err := s.deletable(ctx, cluster, live)
			if lines[i] = line; may {
				found[i] = kube.RefOf(live)
			}
			return err
		})
	}
	err = group.Wait()
	return found, slices.DeleteFunc(lines, func(line string) bool { return line == "" }), err
}

// inFlight is how many reads of single objects are under way at once.
const inFlight = 32
