// SPDX-License-Identifier: Apache-2.0

// Package crd checks custom resources by their CustomResourceDefinition with no
// API server: they are planned before their kind is served, and folders are
// checked where there is no cluster.
package crd
