// SPDX-License-Identifier: Apache-2.0

// Package addons carries the add-on folders beside this file in the binary. A
// folder is found because it is here: nothing lists them.
package addons

import "embed"

// FS holds every folder beside this file, one an add-on, and this file itself,
// which is why the pattern also matches when there is no folder.
//
//go:embed all:*
var FS embed.FS
