# SPDX-License-Identifier: Apache-2.0
#
# Turns `kubectl get -o json` of live objects into a list that can be applied to
# another cluster: without what controllers made of them and without the fields
# that the server sets.
def rank: {Namespace: 0, ServiceAccount: 1, Secret: 2, ConfigMap: 2}[.kind] // 3;

.items
| map(select((.metadata.ownerReferences | not) and (.kind | IN("Endpoints", "EndpointSlice", "Event", "Pod", "PersistentVolumeClaim") | not)))
| unique_by([.kind, .metadata.namespace, .metadata.name])
| map(
    del(.status, .metadata.uid, .metadata.resourceVersion, .metadata.generation, .metadata.creationTimestamp, .metadata.managedFields)
    | if .kind == "Namespace" then del(.spec) else . end
    | if .kind == "Service" and .spec.clusterIP != "None" then del(.spec.clusterIP, .spec.clusterIPs) else . end
    | if .kind == "StatefulSet" then del(.spec.volumeClaimTemplates[]?.status) else . end
  )
| sort_by(rank)
| {apiVersion: "v1", kind: "List", items: .}
