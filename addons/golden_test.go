// SPDX-License-Identifier: Apache-2.0

package addons_test

import (
	"flag"
	"testing"

	"clusterup.dev/clusterup/internal/app"
)

var update = flag.Bool("update", false, "write the golden renders anew")

// Every folder here, and the one that the end-to-end test drops in, passes the checks that `clusterup addon lint` makes, without
// a warning: so it loads, renders under all values that its schema suggests, and
// under each of its testdata/<case>/values.yaml as golden.yaml there says. No
// token gets out of a Secret.
func TestGolden(t *testing.T) {
	report, err := app.Lint([]string{".", "../test/e2e/testdata/addons"}, nil, *update)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Errorf("addons/%s: %s: %s\nhint: %s", f.Where(), f.Level, f.Message, f.Hint)
	}
	if len(report.Addons) < 5 {
		t.Errorf("only %v were checked", report.Addons)
	}
}
