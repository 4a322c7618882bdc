// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// stage is a group of kinds that are applied side by side, after those before it.
type stage int

const (
	stageCRDs       stage = iota // established before anything else
	stageNamespaces              // and what else is referred to by name from everywhere
	stageAccounts                // before Secrets for their tokens, which Kubernetes deletes when there is no such account
	stageConfig                  // RBAC, configuration, services, claims
	stageWorkloads
	stageCustom   // custom resources, after the workloads that serve them
	stageWebhooks // late: one whose server is not up yet would refuse the rest
	stageGuarded  // custom resources that webhooks of the set are called for, once those answer
	stages
)

var stageOf = map[schema.GroupKind]stage{
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: stageCRDs,

	{Kind: "Namespace"}: stageNamespaces,
	{Group: "scheduling.k8s.io", Kind: "PriorityClass"}: stageNamespaces,
	{Group: "storage.k8s.io", Kind: "StorageClass"}:     stageNamespaces,

	{Kind: "ServiceAccount"}: stageAccounts,

	{Kind: "Pod"}:                        stageWorkloads,
	{Kind: "ReplicationController"}:      stageWorkloads,
	{Group: "apps", Kind: "Deployment"}:  stageWorkloads,
	{Group: "apps", Kind: "StatefulSet"}: stageWorkloads,
	{Group: "apps", Kind: "DaemonSet"}:   stageWorkloads,
	{Group: "apps", Kind: "ReplicaSet"}:  stageWorkloads,
	{Group: "batch", Kind: "Job"}:        stageWorkloads,
	{Group: "batch", Kind: "CronJob"}:    stageWorkloads,

	{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"}: stageWebhooks,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}:   stageWebhooks,
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:                           stageWebhooks,
}

func (r Ref) stage() stage {
	if s, ok := stageOf[r.gvk().GroupKind()]; ok {
		return s
	}
	if isCustom(r) {
		return stageCustom
	}
	return stageConfig
}

// builtin are the API groups that the API server itself serves. Objects of any other
// are custom resources.
var builtin = map[string]bool{
	"": true, "apps": true, "batch": true, "autoscaling": true, "policy": true,
	"admissionregistration.k8s.io": true, "apiextensions.k8s.io": true, "apiregistration.k8s.io": true,
	"authentication.k8s.io": true, "authorization.k8s.io": true, "certificates.k8s.io": true,
	"coordination.k8s.io": true, "discovery.k8s.io": true, "events.k8s.io": true,
	"flowcontrol.apiserver.k8s.io": true, "internal.apiserver.k8s.io": true, "networking.k8s.io": true,
	"node.k8s.io": true, "rbac.authorization.k8s.io": true, "resource.k8s.io": true,
	"scheduling.k8s.io": true, "storage.k8s.io": true, "storagemigration.k8s.io": true,
}

func isCustom(r Ref) bool { return !builtin[r.gvk().Group] }
