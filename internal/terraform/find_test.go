// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"clusterup.dev/clusterup/internal/hint"
)

// fake is a terraform that can do no more than say its version.
func fake(t *testing.T, dir, name, version string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	product := map[string]string{"terraform": "Terraform", "tofu": "OpenTofu"}[name]
	script := fmt.Sprintf("#!/bin/sh\n"+
		"case \"$*\" in\n"+
		"version) printf '%s v%s\\non linux_amd64\\n' ;;\n"+
		"*) printf '{\"terraform_version\": \"%s\"}' ;;\n"+
		"esac\n", product, version, version)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindPassesOverWhatIsTooOld(t *testing.T) {
	for name, tc := range map[string]struct{ terraform, tofu, built, want string }{
		"none":               {},
		"only built":         {built: "1.12.6", want: "built"},
		"terraform first":    {terraform: "1.10.0", tofu: "1.12.6", built: "1.12.6", want: "terraform"},
		"two digits":         {terraform: "1.9.8", tofu: "1.12.6", want: "tofu"},
		"next major":         {terraform: "2.0.1", tofu: "1.12.6", want: "terraform"},
		"built is new":       {terraform: "1.5.7", tofu: "1.8.0", built: "1.12.6", want: "built"},
		"broken":             {terraform: "what", built: "1.12.6", want: "built"},
		"all are too old":    {terraform: "1.5.7", tofu: "1.8.0", want: "terraform"},
		"the only one there": {terraform: "1.5.7", want: "terraform"},
	} {
		t.Run(name, func(t *testing.T) {
			path, built := t.TempDir(), t.TempDir()
			t.Setenv("PATH", path)
			want := map[string]string{}
			for name, version := range map[string]string{"terraform": tc.terraform, "tofu": tc.tofu} {
				if version != "" {
					want[name] = fake(t, path, name, version)
				}
			}
			if tc.built != "" {
				want["built"] = fake(t, built, "tofu", tc.built)
			}
			found, err := Find(filepath.Join(t.TempDir(), "absent"), built)
			if found != want[tc.want] || (err == nil) != (tc.want != "") {
				t.Errorf("found %q, %v; want %q", found, err, want[tc.want])
			}
		})
	}
}

// The only terraform there is may be older than its machine-readable output.
func TestTooOldIsSaidWithAHint(t *testing.T) {
	dir := t.TempDir()
	tf, err := New(Config{
		Binary: fake(t, dir, "terraform", "1.5.7"), WorkDir: filepath.Join(dir, "work"),
		Module: fstest.MapFS{"main.tf": {Data: []byte("terraform {}\n")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tf.Plan(t.Context())
	if err == nil || !strings.Contains(err.Error(), "1.5.7") || !strings.Contains(hint.Of(err), "1.10 or newer") {
		t.Errorf("error %v, hint %q", err, hint.Of(err))
	}
}
