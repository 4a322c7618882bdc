// SPDX-License-Identifier: Apache-2.0

// Package templates carries the texts that are shared by all add-ons, and the one
// that a new one begins as.
package templates

import "embed"

// Partials are templates that every manifest can include. Each file says in its
// first lines what its templates take.
//
//go:embed partials
var Partials embed.FS

// Addon is the folder that `clusterup addon new` writes. NAME stands for the name.
//
//go:embed all:addon
var Addon embed.FS
