// SPDX-License-Identifier: Apache-2.0

// Package kube makes objects be in a Kubernetes cluster: it plans by
// server-side dry-run, applies what was planned, waits for readiness with a
// cause, deletes, and dials pods. It knows objects, not add-ons.
package kube
