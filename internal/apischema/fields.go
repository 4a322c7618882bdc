// SPDX-License-Identifier: Apache-2.0

package apischema

import (
	"maps"
	"reflect"
	"regexp"
	"strings"
)

type fieldInfo struct {
	reflect.Type
	required bool
	mergeKey string
}

// fieldsOf gives the fields of a struct as JSON names them.
func fieldsOf(t reflect.Type) map[string]fieldInfo {
	fields := map[string]fieldInfo{}
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "":
			inner := f.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			maps.Copy(fields, fieldsOf(inner))
		default:
			fields[name] = fieldInfo{
				Type: f.Type, mergeKey: f.Tag.Get("patchMergeKey"),
				required: required(t, name, !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero")),
			}
		}
	}
	return fields
}

// stable are packages whose rules a test compares with an API server's OpenAPI;
// of others no field is said to be missing.
var stable = regexp.MustCompile(`^k8s\.io/(api/.*/|apimachinery/.*/)v\d+$`)

// required is what the tag says, but for the fields that are named below.
func required(t reflect.Type, name string, always bool) bool {
	pkg := t.PkgPath()
	if !strings.HasPrefix(pkg, "k8s.io/") {
		return always // a type of this package
	}
	key := strings.TrimPrefix(pkg, "k8s.io/api/") + "." + t.Name() + "." + name
	return stable.MatchString(pkg) && (always && !optional[key] || needed[key] || validated[key])
}

// optional are fields that k8s.io/api writes like required ones, and calls
// optional in a comment.
var optional = map[string]bool{
	"apps/v1.ControllerRevision.data":                                           true,
	"apps/v1.StatefulSetOrdinals.start":                                         true,
	"apps/v1.StatefulSetSpec.serviceName":                                       true,
	"apps/v1.StatefulSetStatus.availableReplicas":                               true,
	"authentication/v1.TokenRequest.spec":                                       true,
	"authentication/v1.TokenRequestSpec.audiences":                              true,
	"authentication/v1.TokenRequestSpec.boundObjectRef":                         true,
	"authentication/v1.TokenRequestSpec.expirationSeconds":                      true,
	"authentication/v1.TokenRequestStatus.expirationTimestamp":                  true,
	"authentication/v1.TokenRequestStatus.token":                                true,
	"autoscaling/v2.HorizontalPodAutoscalerStatus.currentMetrics":               true,
	"batch/v1.PodFailurePolicyOnPodConditionsPattern.status":                    true,
	"core/v1.AzureFilePersistentVolumeSource.secretNamespace":                   true,
	"core/v1.ContainerImage.names":                                              true,
	"core/v1.Event.reportingComponent":                                          true,
	"core/v1.Event.reportingInstance":                                           true,
	"core/v1.GRPCAction.service":                                                true,
	"core/v1.NodeRuntimeHandler.name":                                           true,
	"core/v1.ProjectedVolumeSource.sources":                                     true,
	"core/v1.TypedLocalObjectReference.apiGroup":                                true,
	"core/v1.TypedObjectReference.apiGroup":                                     true,
	"discovery/v1.EndpointSlice.endpoints":                                      true,
	"discovery/v1.EndpointSlice.ports":                                          true,
	"events/v1.Event.metadata":                                                  true,
	"flowcontrol/v1.FlowSchemaSpec.matchingPrecedence":                          true,
	"flowcontrol/v1.LimitedPriorityLevelConfiguration.nominalConcurrencyShares": true,
	"flowcontrol/v1.QueuingConfiguration.handSize":                              true,
	"flowcontrol/v1.QueuingConfiguration.queueLengthLimit":                      true,
	"flowcontrol/v1.QueuingConfiguration.queues":                                true,
	"flowcontrol/v1.ResourcePolicyRule.namespaces":                              true,
	"networking/v1.IngressClassParametersReference.scope":                       true,
	"networking/v1.NetworkPolicySpec.podSelector":                               true,
	"policy/v1.PodDisruptionBudgetStatus.currentHealthy":                        true,
	"policy/v1.PodDisruptionBudgetStatus.desiredHealthy":                        true,
	"policy/v1.PodDisruptionBudgetStatus.disruptionsAllowed":                    true,
	"policy/v1.PodDisruptionBudgetStatus.expectedPods":                          true,
	"rbac/v1.ClusterRole.rules":                                                 true,
	"rbac/v1.Role.rules":                                                        true,
	"rbac/v1.RoleRef.apiGroup":                                                  true,
	"resource/v1.AllocatedDeviceStatus.conditions":                              true,
	"resource/v1.CapacityRequestPolicy.default":                                 true,
	"resource/v1.DeviceClaim.requests":                                          true,
	"resource/v1.ResourceClaimSpec.devices":                                     true,
	"scheduling/v1.PriorityClass.value":                                         true,
	"storage/v1.CSINodeDriver.topologyKeys":                                     true,
}

// needed are fields that it writes like optional ones, and calls required.
var needed = map[string]bool{
	"admissionregistration/v1.ValidatingAdmissionPolicyBinding.spec":                  true,
	"admissionregistration/v1.ValidatingAdmissionPolicyBindingSpec.policyName":        true,
	"admissionregistration/v1.ValidatingAdmissionPolicyBindingSpec.validationActions": true,
	"authentication/v1.TokenReviewSpec.token":                                         true,
	"autoscaling/v1.HorizontalPodAutoscaler.spec":                                     true,
	"autoscaling/v2.HorizontalPodAutoscaler.spec":                                     true,
	"batch/v1.CronJob.spec":                                                           true,
	"core/v1.ContainerRestartRule.action":                                             true,
	"core/v1.ContainerRestartRuleOnExitCodes.operator":                                true,
	"core/v1.PodCertificateProjection.keyType":                                        true,
	"core/v1.PodCertificateProjection.signerName":                                     true,
	"networking/v1.IPAddress.spec":                                                    true,
	"networking/v1.IPAddressSpec.parentRef":                                           true,
	"networking/v1.ParentReference.name":                                              true,
	"networking/v1.ParentReference.resource":                                          true,
	"resource/v1.CapacityRequestPolicyRange.min":                                      true,
	"resource/v1.CounterSet.counters":                                                 true,
	"resource/v1.DeviceCounterConsumption.counters":                                   true,
}

// validated are fields without which the API server refuses an object, though
// its OpenAPI calls them optional.
var validated = map[string]bool{
	"apps/v1.DaemonSet.spec":       true,
	"apps/v1.Deployment.spec":      true,
	"apps/v1.StatefulSet.spec":     true,
	"batch/v1.Job.spec":            true,
	"core/v1.Container.image":      true,
	"core/v1.Pod.spec":             true,
	"core/v1.PodTemplateSpec.spec": true,
	"core/v1.Service.spec":         true,
	"networking/v1.Ingress.spec":   true,
}
