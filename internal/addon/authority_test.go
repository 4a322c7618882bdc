// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"strings"
	"testing"
)

// An add-on that needs nobody has certificates from the environment's authority
// and shows its public half.
func TestEnvironmentCA(t *testing.T) {
	a := mustLoad(t, "addon.yaml", header+"tokens: [{name: tls, kind: cert, ca: clusterup/ca, server: true, dns: [web]}]\n",
		"manifests/m.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {ca: '{{ public \"clusterup/ca\" }}'}}\n")
	if err := checkAuthorities([]*Addon{a}); err != nil {
		t.Error(err)
	}
	specs, err := a.Specs("test", nil)
	if err != nil || specs[0].CA != Authority("test").ID() {
		t.Errorf("%v, %v", specs, err)
	}
	got, err := WriteYAML(mustRender(t, a))
	if err != nil || !strings.Contains(string(got), "ca: public clusterup/ca") {
		t.Errorf("%s, %v", got, err)
	}
}
