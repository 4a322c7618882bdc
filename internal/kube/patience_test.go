// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPatience(t *testing.T) {
	start := time.Now()
	type sight struct {
		after    time.Duration
		restarts int
		ends     bool
	}
	for _, test := range []struct {
		kind   causeKind
		sights []sight
	}{
		{causeImageName, []sight{{0, 0, true}}},
		{causeImageAbsent, []sight{{0, 0, false}, {10 * time.Second, 0, false}, {20 * time.Second, 0, true}}},
		{causeImagePull, []sight{{0, 0, false}, {time.Minute, 0, false}, {2 * time.Minute, 0, true}}},
		{causeCrash, []sight{{0, 1, false}, {10 * time.Second, 6, false}, {time.Minute, 7, true}}},
		{causeCrash, []sight{{0, 1, false}, {time.Minute, 3, false}, {2 * time.Minute, 4, true}}},
		// An old crash loop, whose cause may be gone: it has to crash once more.
		{causeCrash, []sight{{0, 50, false}, {4 * time.Minute, 50, false}, {5 * time.Minute, 51, true}}},
		{causeSchedule, []sight{{0, 0, false}, {90 * time.Second, 0, true}}},
		{causeProbe, []sight{{0, 0, false}, {time.Hour, 0, false}}},
	} {
		seen := make(memory)
		for _, s := range test.sights {
			if got := seen.ends("x", cause{kind: test.kind, restarts: s.restarts}, start.Add(s.after)); got != s.ends {
				t.Errorf("%s after %s with %d restarts ends the wait: %v", test.kind, s.after, s.restarts, got)
			}
		}
	}
}

func TestEveryCauseHasItsPatience(t *testing.T) {
	for reason, kind := range waitingKinds {
		if _, ok := patienceFor[kind]; !ok {
			t.Errorf("%s (%s) has no patience", kind, reason)
		}
	}
}

func TestPodCauses(t *testing.T) {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	crash := &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}
	for _, test := range []struct {
		name   string
		status corev1.PodStatus
		want   string
	}{
		{"ready", corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}, ""},
		{
			"unschedulable",
			corev1.PodStatus{Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes are available: 3 Insufficient cpu."},
			}},
			"pod web: unschedulable: 0/3 nodes are available: 3 Insufficient cpu.",
		},
		{
			"no such image",
			corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: "a", State: waiting("ImagePullBackOff", `Back-off pulling image "x": ErrImagePull: not found`)},
			}},
			`pod web: container a: image not found: Back-off pulling image "x": ErrImagePull: not found`,
		},
		{
			"registry away",
			corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: "a", State: waiting("ErrImagePull", `dial tcp: i/o timeout`)},
			}},
			`pod web: container a: image pull: dial tcp: i/o timeout`,
		},
		{
			"crash loop of an init container",
			corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{
				{Name: "init", RestartCount: 4, State: waiting("CrashLoopBackOff", "back-off 40s"), LastTerminationState: corev1.ContainerState{Terminated: crash}},
			}},
			"pod web: container init: crash: exit code 3, 4 restarts",
		},
		{
			"probe",
			corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: "a", Started: new(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			}},
			"pod web: container a: not ready: it runs, but its readiness probe does not succeed",
		},
		{
			"init container at work",
			corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{
				{Name: "init", Started: new(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			}},
			"pod web: container init: starting: it still runs, and the others wait for its end",
		},
		{
			"just made",
			corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "a", State: waiting("ContainerCreating", "")}}},
			"pod web: starting: on node n, ContainerCreating",
		},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Status: test.status, Spec: corev1.PodSpec{
			NodeName: "n", InitContainers: []corev1.Container{{Name: "init"}},
		}}
		got := ""
		if causes := podCauses(pod); len(causes) > 0 {
			got = causes[0].String()
		}
		if got != test.want {
			t.Errorf("%s:\n got %q\nwant %q", test.name, got, test.want)
		}
	}
}
