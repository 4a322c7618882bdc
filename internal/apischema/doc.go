// SPDX-License-Identifier: Apache-2.0

// Package apischema knows the kinds of Kubernetes itself and their fields,
// offline: from the Go types of k8s.io/api, which the API server's OpenAPI is
// generated from and which client-go links already. Custom resources are not
// its business: see package crd.
package apischema

// Problem is one thing about an object that the API server would refuse.
type Problem struct {
	Path    string // as diff prints it: spec.ports[0].port, metadata.labels["a/b"]
	Message string
	Hint    string
}
