// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The page for applications shows the files of the sample as they are: what the
// end-to-end test runs is what a reader copies.
func TestApplicationsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/applications.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?ms)^`([a-z/.-]+)`:.*?\n\n```[a-z]+\n(.*?)\n```$").FindAllStringSubmatch(string(page), -1)
	for _, block := range shown {
		file, err := os.ReadFile(filepath.Join("testdata/addons/configured", block[1]))
		if err != nil {
			t.Error(err)
		} else if strings.TrimSpace(string(file)) != strings.TrimSpace(block[2]) {
			t.Errorf("docs/applications.md shows another %s", block[1])
		}
	}
	if len(shown) != 5 {
		t.Errorf("the page shows %d files, want 5", len(shown))
	}
}
