// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/converge"
)

// Differences lists what differs between two forms of one object, neither of which has
// to be in a cluster. Values of Secrets are masked.
func Differences(old, new *unstructured.Unstructured) []converge.Field { return differences(old, new) }
