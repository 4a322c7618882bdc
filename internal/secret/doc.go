// SPDX-License-Identifier: Apache-2.0

// Package secret has the three things that clusterup does with secrets: a Value
// that cannot be printed, sealing to the people who may open it (age, with age
// or SSH keys), and the tokens that an environment needs, each made once and
// kept sealed in the bucket.
package secret
