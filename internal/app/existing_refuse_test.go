// SPDX-License-Identifier: Apache-2.0

package app

import (
	"testing"
)

func unreachable(t *testing.T, w *world) {}
func contract(t *testing.T, w *world)    {}
func interrupted(t *testing.T, w *world) {}
