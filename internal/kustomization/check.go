// SPDX-License-Identifier: Apache-2.0

package kustomization

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// references are the fields that name files and folders, or lists of them. A
// dot leads into the items of a list. kustomize would fetch what is remote.
var references = []string{ //nolint:gochecknoglobals // a table
	"resources", "components", "crds", "configurations", "patches.path", "replacements.path", "openapi.path",
	"configMapGenerator.files", "configMapGenerator.env", "configMapGenerator.envs",
	"secretGenerator.files", "secretGenerator.env", "secretGenerator.envs",
}

// refused are fields that run what is not in the folder.
var refused = map[string]string{ //nolint:gochecknoglobals // a table
	"generators":                  "generators, transformers and validators may run programs: write what they do as fields of the kustomization",
	"transformers":                "generators, transformers and validators may run programs: write what they do as fields of the kustomization",
	"validators":                  "generators, transformers and validators may run programs: write what they do as fields of the kustomization",
	"helmCharts":                  "put the chart into an add-on of its own and name it under source: {chart: …}",
	"helmGlobals":                 "put the chart into an add-on of its own and name it under source: {chart: …}",
	"helmChartInflationGenerator": "put the chart into an add-on of its own and name it under source: {chart: …}",
}

// check refuses a kustomization that would look outside of the folder. fields is
// the file as the library reads it, data as it is written.
func (b *build) check(name string, data []byte, fields map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(refused)) {
		if _, used := fields[key]; used {
			return hint.With(fmt.Errorf("%s: %s is not supported", b.at(name, data, key+":"), key), "%s", refused[key])
		}
	}
	for _, reference := range references {
		for _, text := range values(fields, strings.Split(reference, ".")) {
			if _, after, ok := strings.Cut(text, "="); ok && strings.HasSuffix(reference, ".files") {
				text = after
			}
			if remote.MatchString(text) {
				return hint.With(fmt.Errorf("%s: %s is not in the folder", b.at(name, data, text), text), "nothing is fetched: copy it into the add-on and name the copy")
			}
		}
	}
	return nil
}

// values gives the texts at a path of keys, through lists.
func values(node any, keys []string) []string {
	switch node := node.(type) {
	case []any:
		var all []string
		for _, item := range node {
			all = append(all, values(item, keys)...)
		}
		return all
	case map[string]any:
		var all []string
		for _, key := range slices.Sorted(maps.Keys(node)) {
			if len(keys) > 0 && key == keys[0] {
				all = append(all, values(node[key], keys[1:])...)
			}
		}
		return all
	case string:
		if len(keys) == 0 {
			return []string{node}
		}
	}
	return nil
}

// remote is what kustomize would fetch instead of reading it.
var remote = regexp.MustCompile(`(?i)^\s*(github\.com|[^\s/]+@[^\s/]*[:/]|[a-z][a-z0-9+.-]*:)`)

// at finds the line that holds text.
func (b *build) at(name string, data []byte, text string) string {
	shown := path.Join(b.root, name)
	if i := bytes.Index(data, []byte(text)); i >= 0 {
		return fmt.Sprintf("%s:%d", shown, 1+bytes.Count(data[:i], []byte("\n")))
	}
	return shown
}
