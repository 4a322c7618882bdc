// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "clusterup.dev/clusterup/"

// allowed is the direction of imports: what each package may know of this
// module. A package that is not listed may import nothing of it.
var allowed = map[string][]string{ //nolint:gochecknoglobals // a table
	"cmd/clusterup":                  {"internal/cli", "internal/converge"},
	"internal/cli":                   {"internal/app", "internal/cli/output", "internal/converge", "internal/hint", "internal/localcluster"},
	"internal/cli/output":            {"internal/converge"},
	"internal/cli/reference":         {"internal/cli", "internal/environment"},
	"internal/converge":              {"internal/hint"},
	"internal/converge/convergetest": {"internal/converge"},
	"internal/environment":           {"internal/hint", "internal/secret", "internal/strictyaml"},
	"internal/strictyaml":            {"internal/hint"},
	"internal/secret":                {"internal/converge", "internal/hint"},
	"internal/store":                 {"internal/converge", "internal/hint", "internal/secret"},
	"internal/terraform":             {"internal/converge", "internal/hint", "internal/secret"},
	"internal/chart":                 {"internal/hint"},
	"internal/kustomization":         {"internal/hint"},
	"internal/addon":                 {"internal/chart", "internal/fieldpath", "internal/hint", "internal/kustomization", "internal/secret", "internal/strictyaml", "templates"},
	"internal/addon/lint":            {"internal/addon", "internal/apischema", "internal/crd", "internal/hint", "internal/secret", "internal/strictyaml"},
	"internal/apischema":             {"internal/fieldpath", "internal/strictyaml"},
	"internal/crd":                   {"internal/fieldpath"},
	"internal/fieldpath":             {"internal/hint"},
	"internal/release":               {"internal/converge", "internal/hint", "internal/secret", "internal/store"},
	"internal/journal":               {"internal/store"},
	"internal/kube":                  {"internal/converge", "internal/crd", "internal/fieldpath", "internal/hint", "internal/secret"},
	"internal/backup":                {"internal/hint", "internal/secret", "internal/store"},
	"internal/custody":               {"internal/converge", "internal/hint", "internal/secret", "internal/store"},
	"internal/consul":                {"internal/converge", "internal/hint", "internal/raftsnapshot", "internal/secret", "internal/strictyaml"},
	"internal/courier":               {"internal/custody", "internal/hint"},
	"internal/vault":                 {"internal/converge", "internal/custody", "internal/hint", "internal/raftsnapshot", "internal/secret", "internal/store", "internal/strictyaml"},
	"internal/coredns":               {"internal/converge", "internal/hint"},
	"internal/renewal":               {"internal/secret"},
	"internal/ingress":               {"internal/converge", "internal/hint"},
	"internal/localcluster":          {"internal/converge", "internal/hint", "internal/secret", "templates/node"},
	"internal/testservers":           {"internal/converge", "internal/secret"},
}

// TestImportsRunOneWay proves the picture in docs/architecture.md: main → cli →
// app → the rest, and nobody upwards. Only app may import everything.
func TestImportsRunOneWay(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "../../cmd/...", "../../internal/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(pkg.ImportPath, module)
		if name == "internal/app" {
			continue
		}
		for _, path := range pkg.Imports {
			if inside, ok := strings.CutPrefix(path, module); ok && !slices.Contains(allowed[name], inside) {
				t.Errorf("%s imports %s, which runs against the direction of docs/architecture.md", name, inside)
			}
		}
	}
}
