// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"cmp"
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// explained are the kinds whose pods or events may say why they are not ready.
var explained = []string{"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController", "Pod", "PersistentVolumeClaim"}

// findCauses adds to each object why it is not ready, as far as pods and events tell.
func (c *Cluster) findCauses(ctx context.Context, waiting []*unready) error {
	var names []string
	for _, w := range waiting {
		if w.live != nil && slices.Contains(explained, w.Kind) && !slices.Contains(names, w.Namespace) {
			names = append(names, w.Namespace)
		}
	}
	around := make([]*neighbours, len(names))
	if err := each(ctx, names, func(ctx context.Context, i int, name string) (err error) {
		around[i], err = c.neighbours(ctx, name)
		return err
	}); err != nil {
		return err
	}
	for _, w := range waiting {
		if i := slices.Index(names, w.Namespace); i >= 0 && w.live != nil {
			w.causes = around[i].causesOf(w.live)
		}
	}
	return nil
}

// causesOf says why u is not ready, those first that can end a wait.
func (n *neighbours) causesOf(u *unstructured.Unstructured) []cause {
	var causes []cause
	maker := n.maker(u)
	pods := n.podsOf(u, maker)
	for _, pod := range pods {
		for _, c := range podCauses(pod) {
			causes = append(causes, n.detailed(pod, c)...)
		}
	}
	switch {
	case u.GetKind() == "PersistentVolumeClaim":
		causes = append(causes, n.claimCauses(u.GetName())...)
	case u.GetKind() != "Pod" && int64(len(pods)) < wanted(u):
		causes = append(causes, n.refusals(maker)...)
	}
	slices.SortStableFunc(causes, func(a, b cause) int {
		return cmp.Compare(rank(a), rank(b))
	})
	return causes
}

func rank(c cause) int {
	if patienceFor[c.kind].never {
		return 1
	}
	return 0
}

// wanted is how many pods u should have at the least.
func wanted(u *unstructured.Unstructured) int64 {
	if n, there, _ := unstructured.NestedInt64(u.Object, "status", "desiredNumberScheduled"); there {
		return n
	}
	if n, there, _ := unstructured.NestedInt64(u.Object, "spec", "replicas"); there {
		return n
	}
	return 1
}

// detailed adds to a cause what the warnings about its pod and its claims say.
func (n *neighbours) detailed(pod *corev1.Pod, c cause) []cause {
	switch c.kind {
	case causeSchedule:
		for _, v := range pod.Spec.Volumes {
			if v.PersistentVolumeClaim == nil {
				continue
			}
			if claims := n.claimCauses(v.PersistentVolumeClaim.ClaimName); len(claims) > 0 {
				return claims
			}
		}
	case causeProbe:
		if e := n.last(pod.UID, "Unhealthy"); e != nil {
			c.message = e.Message
		}
	case causeStarting:
		if e := n.last(pod.UID, "FailedMount", "FailedAttachVolume", "FailedMapVolume"); e != nil {
			c.kind, c.message, c.since = causeMount, e.Message, e.FirstTimestamp.Time
		} else if e := n.last(pod.UID, "FailedCreatePodSandBox", "NetworkNotReady", "FailedPreStopHook"); e != nil {
			c.message += ": " + e.Message
		}
	}
	return []cause{c}
}

func (n *neighbours) claimCauses(claim string) []cause {
	for i := len(n.events) - 1; i >= 0; i-- {
		e := &n.events[i]
		if e.InvolvedObject.Kind == "PersistentVolumeClaim" && e.InvolvedObject.Name == claim &&
			(e.Reason == "ProvisioningFailed" || e.Reason == "FailedBinding" || e.Reason == "VolumeMismatch") {
			return []cause{{kind: causeVolume, where: "claim " + claim, message: e.Message, since: e.FirstTimestamp.Time}}
		}
	}
	return nil
}

// refusals are pods that could not be made.
func (n *neighbours) refusals(maker types.UID) []cause {
	e := n.last(maker, "FailedCreate")
	if e == nil {
		return nil
	}
	c := cause{kind: causeCreate, message: e.Message, since: e.FirstTimestamp.Time}
	if strings.Contains(e.Message, "exceeded quota") {
		c.kind = causeQuota
	}
	return []cause{c}
}
