// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// verdict is what an object's own status says.
type verdict struct {
	ready  bool
	reason string
	failed bool // it will not become ready by itself
}

var ready = verdict{ready: true}

func pendingFor(format string, args ...any) verdict {
	return verdict{reason: fmt.Sprintf(format, args...)}
}

// rules are the kinds of Kubernetes itself that can be not ready. Kinds that are
// not here and are no custom resources are ready as soon as they exist.
var rules = map[schema.GroupKind]func(*unstructured.Unstructured) verdict{
	{Kind: "Namespace"}:                                               namespaceReady,
	{Kind: "PersistentVolumeClaim"}:                                   byKstatus,
	{Kind: "Pod"}:                                                     podReady,
	{Kind: "Service"}:                                                 serviceReady,
	{Kind: "ReplicationController"}:                                   observed,
	{Group: "apps", Kind: "Deployment"}:                               observed,
	{Group: "apps", Kind: "DaemonSet"}:                                observed,
	{Group: "apps", Kind: "ReplicaSet"}:                               observed,
	{Group: "apps", Kind: "StatefulSet"}:                              statefulSetReady,
	{Group: "batch", Kind: "Job"}:                                     jobReady,
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: byKstatus,
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:             apiServiceReady,
}

// judge says whether a live object is ready. A status that is older than the spec,
// or not there at all though the kind has one, is never taken for ready.
func judge(u *unstructured.Unstructured, hasStatus bool) verdict {
	if u.GetDeletionTimestamp() != nil {
		return pendingFor("being deleted")
	}
	r := RefOf(u)
	if rule, ok := rules[r.gvk().GroupKind()]; ok {
		return rule(u)
	}
	if !isCustom(r) {
		return ready
	}
	if _, there := u.Object["status"]; hasStatus && !there {
		return pendingFor("no status yet: its controller has not seen it")
	}
	return byKstatus(u)
}

// byKstatus asks the common rules: conditions, observedGeneration, replica counts.
func byKstatus(u *unstructured.Unstructured) verdict {
	result, err := status.Compute(u)
	switch {
	case err != nil:
		return pendingFor("%v", err)
	case result.Status == status.CurrentStatus:
		return ready
	}
	return verdict{reason: result.Message, failed: result.Status == status.FailedStatus}
}

// observed is for controllers that always write observedGeneration: without it,
// nothing in the status is about this spec.
func observed(u *unstructured.Unstructured) verdict {
	seen, there, _ := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
	switch {
	case !there:
		return pendingFor("its controller has not seen it yet")
	case seen < u.GetGeneration():
		return pendingFor("its controller has not seen the last change yet")
	}
	return byKstatus(u)
}

// statefulSetReady differs from the common rule for updateStrategy OnDelete, where
// whoever chose it does the rollout, but replicas have to be ready all the same. A
// pod that waits for its restart is left to that one, too: it may be ill for want of
// the restart, and nothing would ever come to it if its readiness were waited for.
func statefulSetReady(u *unstructured.Unstructured) verdict {
	if v := observed(u); !v.ready {
		return v
	}
	want, there, _ := unstructured.NestedInt64(u.Object, "spec", "replicas")
	if !there {
		want = 1
	}
	if strategy, _, _ := unstructured.NestedString(u.Object, "spec", "updateStrategy", "type"); strategy == "OnDelete" {
		there, _, _ := unstructured.NestedInt64(u.Object, "status", "replicas")
		updated, _, _ := unstructured.NestedInt64(u.Object, "status", "updatedReplicas")
		want -= max(there-updated, 0)
	}
	if have, _, _ := unstructured.NestedInt64(u.Object, "status", "readyReplicas"); have < want {
		return pendingFor("Ready: %d/%d", have, want)
	}
	return ready
}

func namespaceReady(u *unstructured.Unstructured) verdict {
	if phase, _, _ := unstructured.NestedString(u.Object, "status", "phase"); phase != "Active" {
		return pendingFor("phase %q", phase)
	}
	return ready
}

func podReady(u *unstructured.Unstructured) verdict {
	phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
	if state, _ := condition(u, "Ready"); state == "True" || phase == "Succeeded" {
		return ready
	}
	return verdict{reason: "phase " + phase, failed: phase == "Failed"}
}

func serviceReady(u *unstructured.Unstructured) verdict {
	if kind, _, _ := unstructured.NestedString(u.Object, "spec", "type"); kind != "LoadBalancer" {
		return ready
	}
	if given, _, _ := unstructured.NestedSlice(u.Object, "status", "loadBalancer", "ingress"); len(given) == 0 {
		return pendingFor("no address from the load balancer yet")
	}
	return ready
}

// jobReady wants the job done: one that runs may still fail.
func jobReady(u *unstructured.Unstructured) verdict {
	if state, _ := condition(u, "Complete"); state == "True" {
		return ready
	}
	if state, why := condition(u, "Failed"); state == "True" {
		return verdict{reason: "failed: " + why, failed: true}
	}
	return pendingFor("not complete")
}

func apiServiceReady(u *unstructured.Unstructured) verdict {
	if state, why := condition(u, "Available"); state != "True" {
		return pendingFor("not available: %s", why)
	}
	return ready
}
