// SPDX-License-Identifier: Apache-2.0

package kube

import "testing"

// Kubernetes deletes a Secret for the token of a ServiceAccount that it does not know,
// and nobody makes it again before the next run.
func TestAccountsComeBeforeTheirTokens(t *testing.T) {
	account := Ref{APIVersion: "v1", Kind: "ServiceAccount", Namespace: "a", Name: "b"}
	token := Ref{APIVersion: "v1", Kind: "Secret", Namespace: "a", Name: "b"}
	namespace := Ref{APIVersion: "v1", Kind: "Namespace", Name: "a"}
	if account.stage() >= token.stage() || account.stage() <= namespace.stage() {
		t.Errorf("a Namespace is of stage %d, a ServiceAccount of %d, a Secret of %d", namespace.stage(), account.stage(), token.stage())
	}
}
