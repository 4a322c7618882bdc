// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// tofu is built where neither terraform nor tofu is new enough.
func TestHaveTerraform(t *testing.T) {
	for name, tc := range map[string]struct {
		says map[string]string
		want bool
	}{
		"none":          {},
		"new":           {map[string]string{"terraform": "Terraform v1.11.4\non linux_amd64"}, true},
		"the first one": {map[string]string{"terraform": "Terraform v1.10.0"}, true},
		"old":           {map[string]string{"terraform": "Terraform v1.9.8\n\nYour version is out of date! The latest is 1.11.0."}, false},
		"old, new tofu": {map[string]string{"terraform": "Terraform v1.5.7", "tofu": "OpenTofu v1.12.6"}, true},
		"both old":      {map[string]string{"terraform": "Terraform v1.5.7", "tofu": "OpenTofu v1.8.0"}, false},
		"broken":        {map[string]string{"terraform": "no version is set"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("PATH", dir)
			for program, text := range tc.says {
				script := "#!/bin/sh\necho '" + text + "'\n"
				if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if got := haveTerraform(t.Context()); got != tc.want {
				t.Errorf("have it: %v", got)
			}
		})
	}
}
