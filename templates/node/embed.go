// SPDX-License-Identifier: Apache-2.0

// Package node carries the configuration of the nodes of a local environment,
// as templates over the fields that internal/localcluster fills in.
package node

import "embed"

// Files are the templates, by the name of the file that each becomes.
//
//go:embed *.tmpl
var Files embed.FS
