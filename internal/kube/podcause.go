// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// waitingKinds sorts the reasons for which the kubelet does not start a container.
var waitingKinds = map[string]causeKind{
	"InvalidImageName":           causeImageName,
	"ErrImageNeverPull":          causeImageAbsent,
	"ErrImagePull":               causeImagePull,
	"ImagePullBackOff":           causeImagePull,
	"RegistryUnavailable":        causeImagePull,
	"SignatureValidationFailed":  causeImageAbsent,
	"CreateContainerConfigError": causeConfig,
	"CreateContainerError":       causeStart,
	"RunContainerError":          causeStart,
	"PreStartHookError":          causeStart,
	"PostStartHookError":         causeStart,
	"CrashLoopBackOff":           causeCrash,
}

// podCauses says why a pod is not ready; none when it is.
func podCauses(pod *corev1.Pod) []cause {
	if pod.DeletionTimestamp != nil {
		return []cause{{kind: causeStarting, pod: pod.Name, message: "being deleted"}}
	}
	if hasCondition(pod, corev1.PodReady, corev1.ConditionTrue) || pod.Status.Phase == corev1.PodSucceeded {
		return nil
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return []cause{{kind: causeSchedule, pod: pod.Name, message: c.Message, since: c.LastTransitionTime.Time}}
		}
	}
	var causes []cause
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if c, ok := containerCause(s, runsToEnd(pod, s.Name)); ok {
			c.pod = pod.Name
			causes = append(causes, c)
		}
	}
	if len(causes) == 0 {
		causes = append(causes, cause{kind: causeStarting, pod: pod.Name, message: starting(pod)})
	}
	return causes
}

// runsToEnd reports whether name is an init container that has to end, not a sidecar.
func runsToEnd(pod *corev1.Pod, name string) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool {
		return c.Name == name && (c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways)
	})
}

func containerCause(s corev1.ContainerStatus, initial bool) (cause, bool) {
	c := cause{where: "container " + s.Name, restarts: int(s.RestartCount)}
	switch w := s.State.Waiting; {
	case w != nil && waitingKinds[w.Reason] != "":
		c.kind, c.message = waitingKinds[w.Reason], w.Message
		if c.kind == causeImagePull && refusedImage(w.Message) {
			c.kind = causeImageAbsent
		}
		if c.kind == causeCrash {
			c.message, c.crashed = crashed(s.LastTerminationState.Terminated, s.RestartCount), s.Name
		}
		return c, true
	case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0: // about to be tried again
		c.kind, c.message, c.crashed = causeCrash, crashed(s.State.Terminated, s.RestartCount), s.Name
		return c, true
	case s.State.Running != nil && initial:
		c.kind, c.message = causeStarting, "it still runs, and the others wait for its end"
		return c, true
	case s.State.Running != nil && !s.Ready && (s.Started == nil || *s.Started):
		c.kind, c.message = causeProbe, "it runs, but its readiness probe does not succeed"
		return c, true
	}
	return cause{}, false
}

// refusedImage tells a registry's no from one that does not answer.
func refusedImage(message string) bool {
	m := strings.ToLower(message)
	return slices.ContainsFunc([]string{"not found", "manifest unknown", "unauthorized", "denied", "forbidden", "no match for platform", "401", "403", "404"},
		func(s string) bool { return strings.Contains(m, s) })
}

func crashed(t *corev1.ContainerStateTerminated, restarts int32) string {
	if t == nil {
		return fmt.Sprintf("%d restarts", restarts)
	}
	why := t.Reason
	if why == "" || why == "Error" {
		why = fmt.Sprintf("exit code %d", t.ExitCode)
	}
	if t.Message != "" {
		why += " (" + strings.TrimSpace(t.Message) + ")"
	}
	return fmt.Sprintf("%s, %d restarts", why, restarts)
}

func starting(pod *corev1.Pod) string {
	switch {
	case pod.Spec.NodeName == "":
		return "the scheduler has not seen it yet"
	case pod.Status.Phase == corev1.PodFailed:
		return "failed: " + pod.Status.Reason + " " + pod.Status.Message
	}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if s.State.Waiting != nil && s.State.Waiting.Reason != "" {
			return "on node " + pod.Spec.NodeName + ", " + s.State.Waiting.Reason
		}
	}
	return "on node " + pod.Spec.NodeName
}

func hasCondition(pod *corev1.Pod, kind corev1.PodConditionType, is corev1.ConditionStatus) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind && c.Status == is })
}
