// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The order goes by the kind and its group: a custom kind that has the name of a built-in
// one is a custom resource.
func TestRank(t *testing.T) {
	for _, test := range []struct {
		version, kind string
		want          int
	}{
		{"apiextensions.k8s.io/v1", "CustomResourceDefinition", 0},
		{"v1", "Namespace", 1},
		{"v1", "Service", 2},
		{"rbac.authorization.k8s.io/v1", "ClusterRole", 2},
		{"v1", "Pod", 3},
		{"apps/v1", "Deployment", 3},
		{"batch/v1", "Job", 3},
		{"batch.example.org/v1", "Job", 4},
		{"example.org/v1", "Namespace", 4},
		{"example.org/v1", "APIService", 4},
		{"apiregistration.k8s.io/v1", "APIService", 5},
		{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", 5},
	} {
		u := &unstructured.Unstructured{}
		u.SetAPIVersion(test.version)
		u.SetKind(test.kind)
		if got := rank(Object{Unstructured: u}); got != test.want {
			t.Errorf("%s %s has the rank %d, want %d", test.version, test.kind, got, test.want)
		}
	}
}
