// SPDX-License-Identifier: Apache-2.0

package addon

import "clusterup.dev/clusterup/internal/secret"

// Environment owns the tokens of the environment itself. No add-on has its name.
const Environment = "clusterup"

// EnvironmentCA is the authority of the environment: every add-on may have
// certificates issued by it and tell others its public half, without a need.
// Nobody is given its key.
const EnvironmentCA = Environment + "/ca"

// Authority is the token behind EnvironmentCA.
func Authority(environment string) secret.Spec {
	return secret.Spec{Addon: Environment, Name: "ca", Kind: secret.CA, CommonName: environment + " CA", Intermediates: true}
}
