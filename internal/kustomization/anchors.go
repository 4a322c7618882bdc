// SPDX-License-Identifier: Apache-2.0

package kustomization

import (
	"bytes"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// checkAnchors refuses YAML whose anchors hold themselves, or grow without end:
// the library follows them until the program dies. What is no YAML is not its matter.
func checkAnchors(shown string, data []byte) error {
	if !bytes.ContainsRune(data, '&') || !bytes.ContainsRune(data, '*') {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var document any
		if err := decoder.Decode(&document); err != nil {
			if text := err.Error(); strings.Contains(text, "contains itself") || strings.Contains(text, "excessive aliasing") {
				return fmt.Errorf("%s: %s", shown, strings.TrimPrefix(text, "yaml: "))
			}
			return nil
		}
	}
}
