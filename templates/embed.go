// SPDX-License-Identifier: Apache-2.0

// Package templates carries the texts that are shared by all add-ons.
package templates

import "embed"

// Partials are templates that every manifest can include. Each file says in its
// first lines what its templates take.
//
//go:embed partials
var Partials embed.FS
