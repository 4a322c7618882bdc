// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Pending is one object that is not ready.
type Pending struct {
	Subject string   // "StatefulSet consul/consul"
	Reason  string   // one clause: what is not yet true, and why
	Logs    []string // the last lines of a container that crashes
	Fatal   bool     // waiting longer is not likely to help
}

// Pending looks once and says what of objs is not ready, as o wants it; its timeouts
// do not matter. None pending means that all are ready, and webhooks among them answer.
func (c *Cluster) Pending(ctx context.Context, objs []*unstructured.Unstructured, o WaitOptions) ([]Pending, error) {
	objects, err := c.waitable(ctx, objs, o)
	if err != nil {
		return nil, err
	}
	waiting, _, err := c.look(ctx, objects)
	if err != nil {
		return nil, err
	}
	if len(waiting) == 0 {
		calls, err := c.calls(objs, o)
		if err != nil {
			return nil, err
		}
		return gate(ctx, calls)
	}
	if err := c.findCauses(ctx, waiting); err != nil {
		return nil, err
	}
	now := time.Now()
	return c.report(ctx, waiting, func(_ *unready, cause cause) bool { return cause.endsNow(now) }), nil
}

// unready is an object that is not ready, with what is known about the reason.
type unready struct {
	*awaited
	live    *unstructured.Unstructured // nil when it does not exist
	verdict verdict
	causes  []cause
}

// look reads the objects once; it gives those that are not ready and those that are.
func (c *Cluster) look(ctx context.Context, objects []*awaited) (waiting []*unready, there []*unstructured.Unstructured, err error) {
	if err := c.locate(ctx, objects); err != nil {
		return nil, nil, err
	}
	live, err := c.live(ctx, plainly(objects))
	if err != nil {
		return nil, nil, err
	}
	for _, o := range objects {
		u := live[o.key()]
		if v := c.judge(ctx, o, u); v.ready {
			there = append(there, u)
		} else {
			waiting = append(waiting, &unready{awaited: o, live: u, verdict: v})
		}
	}
	return waiting, there, nil
}

func plainly(objects []*awaited) []*object {
	plain := make([]*object, len(objects))
	for i, o := range objects {
		plain[i] = o.object
	}
	return plain
}

// judgeByKind knows, beyond the object itself, that a claim may wait for its first pod.
func (c *Cluster) judgeByKind(ctx context.Context, u *unstructured.Unstructured, hasStatus bool) verdict {
	v := judge(u, hasStatus)
	if !v.ready && u.GetKind() == "PersistentVolumeClaim" && c.bindsLater(ctx, u) {
		return ready
	}
	return v
}

// bindsLater reports whether a claim waits for its first pod, as its class wants:
// then it is not the claim that has to be waited for.
func (c *Cluster) bindsLater(ctx context.Context, claim *unstructured.Unstructured) bool {
	name, _, _ := unstructured.NestedString(claim.Object, "spec", "storageClassName")
	if name == "" || claim.GetAnnotations()["volume.kubernetes.io/selected-node"] != "" {
		return false
	}
	class, err := c.typed.StorageV1().StorageClasses().Get(ctx, name, metav1.GetOptions{})
	return err == nil && class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
}

// report puts the findings in words; ends says which causes are to end a wait.
func (c *Cluster) report(ctx context.Context, waiting []*unready, ends func(*unready, cause) bool) []Pending {
	pending := make([]Pending, 0, len(waiting))
	for _, w := range waiting {
		p := Pending{Subject: w.String(), Reason: w.verdict.reason, Fatal: w.verdict.failed}
		worst := -1
		for i, cause := range w.causes {
			fatal := ends(w, cause) // each has to be asked: it is remembered
			if fatal && !p.Fatal {
				worst, p.Fatal = i, true
			}
		}
		if worst < 0 && len(w.causes) > 0 {
			worst = 0
		}
		if worst >= 0 {
			p.Reason += ": " + w.causes[worst].String()
			if p.Fatal && w.causes[worst].crashed != "" {
				p.Logs = c.lastLines(ctx, w.Namespace, w.causes[worst].pod, w.causes[worst].crashed)
			}
		}
		pending = append(pending, p)
	}
	return pending
}
