// SPDX-License-Identifier: Apache-2.0

package addon

import "clusterup.dev/clusterup/internal/secret"

// Site is what templates may know of an environment beside its name, as
// .Environment.Store and .Environment.Recipients. Nothing in it is secret.
type Site struct {
	Store      Store
	Recipients []string // public keys of the operators: whom pods seal to
}

// Store is the environment's bucket as pods reach it.
type Store struct {
	Endpoint  string // empty: AWS
	Region    string
	Bucket    string
	Prefix    string // everything of the environment is below it
	PathStyle bool
	CA        string // PEM, to trust in place of the system's; may be empty
	Key       bool   // pods have a key of their own: the token EnvironmentStore
}

// EnvironmentStore is the key with which pods reach the environment's store,
// backups/ and nothing else of it. Its public half is the id of the key. Only
// local environments have one: see Store.Key.
const EnvironmentStore = Environment + "/store"

// StoreKey is the token behind EnvironmentStore. The store makes it, not whoever
// makes tokens.
func StoreKey() secret.Spec {
	return secret.Spec{Addon: Environment, Name: "store", Kind: secret.Password}
}
