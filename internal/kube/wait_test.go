// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

func notReady(t *testing.T, c *Cluster) {
	objs := parse(t, "notready", small)
	mustApply(t, c, objs)
	pending, err := c.Pending(t.Context(), objs, WaitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(pending) != 1 || pending[0].Subject != "Deployment notready/web" || pending[0].Fatal ||
		!strings.Contains(pending[0].Reason, "its controller has not seen it yet") {
		t.Errorf("pending %+v", pending)
	}
	if pending, err = c.Pending(t.Context(), objs, WaitOptions{Skip: skipping("Deployment/web")}); err != nil || len(pending) != 0 {
		t.Errorf("skipped, but pending %+v, %v", pending, err)
	}
	err = c.Wait(t.Context(), objs, WaitOptions{Timeout: 500 * time.Millisecond})
	var timeout *NotReadyError
	if !errors.As(err, &timeout) || !timeout.TimedOut || !strings.Contains(err.Error(), "Deployment notready/web") {
		t.Errorf("error %v, want a timeout that names the deployment", err)
	}
}

// writeStatus writes a status as a controller would.
func writeStatus(t *testing.T, c *Cluster, r Ref, mergePatch string) {
	t.Helper()
	_, err := c.client(mustResource(t, c, r), r.Namespace).Patch(t.Context(), r.Name, types.MergePatchType, []byte(mergePatch), metav1.PatchOptions{}, "status")
	if err != nil {
		t.Error(err)
	}
}

func waitSucceeds(t *testing.T, c *Cluster) {
	objs := parse(t, "succeeds", strings.Replace(small, "        args:", "        readinessProbe: {tcpSocket: {port: 8080}}\n        args:", 1))
	mustApply(t, c, objs)
	web := Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "succeeds", Name: "web"}
	change := func() {
		writeStatus(t, c, web, `{"status":{"observedGeneration":1,"replicas":2,"updatedReplicas":2,"readyReplicas":2,"availableReplicas":2,
			"conditions":[{"type":"Available","status":"True"},{"type":"Progressing","status":"True","reason":"NewReplicaSetAvailable"}]}}`)
	}
	if err := c.Wait(onProgress(t, "waiting for Deployment succeeds/web", change), objs, WaitOptions{Timeout: 20 * time.Second}); err != nil {
		t.Fatal(err)
	}
}

// changeIsSeen proves that a wait hears of a change, and does not only look now and then.
func changeIsSeen(t *testing.T, c *Cluster) {
	objs := parse(t, "heard", small)
	mustApply(t, c, objs)
	awaited, err := c.waitable(t.Context(), objs[5:], WaitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	changed := c.watch(t.Context(), plainly(awaited))
	hear := func() {
		t.Helper()
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was heard")
		}
	}
	hear() // what is there when the watch begins
	for i := range 3 {
		writeStatus(t, c, RefOf(objs[5]), fmt.Sprintf(`{"status":{"observedGeneration":1,"replicas":%d}}`, i+1))
		hear()
	}
}

func TestSettling(t *testing.T) {
	deployment := func(uid, probe string) *unstructured.Unstructured {
		u := thing(t, "spec: {template: {spec: {containers: [{name: a"+probe+"}]}}}")
		u.SetKind("Deployment")
		u.SetUID(types.UID(uid))
		return u
	}
	probed, bare := deployment("1", ", readinessProbe: {}"), deployment("2", "")
	s, start := make(settling), time.Now()
	for _, look := range []struct {
		after time.Duration
		there []*unstructured.Unstructured
		want  bool
	}{
		{0, []*unstructured.Unstructured{probed}, true},
		{0, []*unstructured.Unstructured{probed, bare}, false},
		{time.Second, []*unstructured.Unstructured{probed}, true}, // bare has crashed
		{2 * time.Second, []*unstructured.Unstructured{bare}, false},
		{4 * time.Second, []*unstructured.Unstructured{bare}, true},
	} {
		if got := s.done(look.there, start.Add(look.after)); got != look.want {
			t.Errorf("after %s settled is %v", look.after, got)
		}
	}
}

// waitEnds plays the controllers: a ReplicaSet, its pod, and what the kubelet says.
func waitEnds(t *testing.T, c *Cluster) {
	objs := parse(t, "ends", small)
	mustApply(t, c, objs)
	live, err := c.Get(t.Context(), Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "ends", Name: "web"})
	if err != nil {
		t.Fatal(err)
	}
	sets := parse(t, "ends", `apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-1
  namespace: NS
  annotations: {deployment.kubernetes.io/revision: "1"}
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: `+string(live.GetUID())+`, controller: true}]
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "example.com/web:1.0"}]}}`)
	mustApply(t, c, sets)
	set, err := c.Get(t.Context(), RefOf(sets[0]))
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want string) {
		t.Helper()
		err := c.Wait(t.Context(), objs, WaitOptions{Timeout: 3 * time.Second})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: "refused", Namespace: "ends"},
		InvolvedObject: corev1.ObjectReference{Kind: "ReplicaSet", Name: "web-1", Namespace: "ends", UID: set.GetUID()},
		Type:           "Warning", Reason: "FailedCreate", Message: "pods is forbidden: exceeded quota: small", LastTimestamp: metav1.Now(),
	}
	if _, err := c.typed.CoreV1().Events("ends").Create(t.Context(), event, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	expect("quota: pods is forbidden: exceeded quota: small")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1-x", Namespace: "ends", Labels: map[string]string{"app": "web"}, OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: set.GetUID(), Controller: new(true)},
		}},
		Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "web", Image: "example.com/web:1.0"}}},
	}
	if _, err := c.typed.CoreV1().Pods("ends").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	podRef := Ref{APIVersion: "v1", Kind: "Pod", Namespace: "ends", Name: "web-1-x"}
	writeStatus(t, c, podRef, `{"status":{"phase":"Pending","containerStatuses":[{"name":"web","image":"x","imageID":"","ready":false,"restartCount":0,
		"state":{"waiting":{"reason":"InvalidImageName","message":"couldn't parse image name"}}}]}}`)
	start := time.Now()
	expect("Deployment ends/web: its controller has not seen it yet: pod web-1-x: container web: bad image name: couldn't parse image name")
	if took := time.Since(start); took > time.Second {
		t.Errorf("the wait went on for %s", took)
	}
	pods, err := c.Pods(t.Context(), "ends", "app=web")
	if err != nil || len(pods) != 1 || pods[0].Name != "web-1-x" || pods[0].Node != "node-1" || pods[0].Running || pods[0].Ready {
		t.Errorf("pods %+v, %v", pods, err)
	}
}

func identity(t *testing.T, c *Cluster) {
	if err := c.Reachable(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, err := c.Version(t.Context())
	if err != nil || !strings.HasPrefix(v, "v1.") {
		t.Errorf("version %q, %v", v, err)
	}
	id, err := c.Identity(t.Context())
	if err != nil || len(id.CADigest) != 64 || len(id.UID) != 36 {
		t.Errorf("identity %+v, %v", id, err)
	}
	if nodes, err := c.Nodes(t.Context()); err != nil || len(nodes) != 0 {
		t.Errorf("nodes %v, %v", nodes, err)
	}
	account := parse(t, "default", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: reviewer, namespace: NS}")
	mustApply(t, c, account)
	token, err := c.TokenRequest(t.Context(), "default", "reviewer", []string{"vault"}, time.Minute)
	if err != nil || strings.Count(token.RevealString(), ".") != 2 {
		t.Errorf("token %v, %v", token, err)
	}
}
