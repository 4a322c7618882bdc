// SPDX-License-Identifier: Apache-2.0

// Package modules carries the Terraform modules beside this file in the binary,
// one folder each.
package modules

import "embed"

// FS holds every folder beside this file.
//
//go:embed all:*
var FS embed.FS
