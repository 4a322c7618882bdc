// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type scope int

const (
	unknownScope scope = iota // of a custom resource whose definition is elsewhere: as the manifest says
	namespaced
	clusterScoped
)

// scopeOf says whether a kind lives in namespaces. There is no cluster to ask:
// kinds of Kubernetes itself are known, custom ones by their definition.
func scopeOf(u *unstructured.Unstructured, custom map[string]scope) scope {
	kind := u.GroupVersionKind().GroupKind()
	if s, ok := custom[kind.String()]; ok {
		return s
	}
	switch group := kind.Group; {
	case group == "apiextensions.k8s.io", group == "apiregistration.k8s.io", group == "admissionregistration.k8s.io",
		group == "scheduling.k8s.io", group == "node.k8s.io", group == "certificates.k8s.io", group == "flowcontrol.apiserver.k8s.io":
		return clusterScoped
	case group != "" && strings.Contains(group, ".") && !builtInGroup(group):
		return unknownScope
	}
	switch kind.Kind {
	case "Namespace", "Node", "PersistentVolume", "ComponentStatus",
		"ClusterRole", "ClusterRoleBinding",
		"StorageClass", "VolumeAttachment", "CSIDriver", "CSINode", "VolumeAttributesClass",
		"IngressClass", "IPAddress", "ServiceCIDR", "DeviceClass", "ResourceSlice", "DeviceTaintRule":
		return clusterScoped
	}
	return namespaced
}

func builtInGroup(group string) bool {
	switch group {
	case "rbac.authorization.k8s.io", "networking.k8s.io", "storage.k8s.io", "coordination.k8s.io",
		"discovery.k8s.io", "events.k8s.io", "resource.k8s.io":
		return true
	}
	return false
}

// customScopes reads the definitions among the objects.
func customScopes(objects []Object) map[string]scope {
	scopes := make(map[string]scope)
	for _, o := range objects {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		s := namespaced
		if text, _, _ := unstructured.NestedString(o.Object, "spec", "scope"); text == "Cluster" {
			s = clusterScoped
		}
		scopes[kind+"."+group] = s
	}
	return scopes
}

// rank is the order of applying inside an add-on, as far as the object alone tells.
func rank(o Object) int {
	switch o.GroupVersionKind().GroupKind().String() {
	case "CustomResourceDefinition.apiextensions.k8s.io":
		return 0
	case "Namespace":
		return 1
	case "Pod", "ReplicationController", "Deployment.apps", "StatefulSet.apps", "DaemonSet.apps", "ReplicaSet.apps", "Job.batch", "CronJob.batch":
		return 3
	case "ValidatingWebhookConfiguration.admissionregistration.k8s.io", "MutatingWebhookConfiguration.admissionregistration.k8s.io",
		"APIService.apiregistration.k8s.io":
		return 5
	default:
		if scopeOf(o.Unstructured, nil) == unknownScope {
			return 4 // custom resources, after the workloads that serve them
		}
		return 2 // RBAC, configuration, services, storage
	}
}
