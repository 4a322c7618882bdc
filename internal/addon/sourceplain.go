// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"path"

	"clusterup.dev/clusterup/internal/hint"
)

// plain reads YAML and JSON files as they are. Other files, such as a README, say nothing.
func (r *renderer) plain(dir string) ([]Object, error) {
	var objects []Object
	err := r.Addon.walk(dir, func(name string, data []byte) error {
		shown := r.Addon.Dir + "/" + name
		switch base := path.Base(name); {
		case base == "kustomization.yaml" || base == "kustomization.yml" || base == "Kustomization":
			return hint.With(fault(shown, 0, "is not an object for a cluster"), "write source: {kustomize: %s}", path.Dir(name))
		case base == "Chart.yaml":
			return hint.With(fault(shown, 0, "is not an object for a cluster"), "write source: {chart: %s}", path.Dir(name))
		case base[0] == '.':
			return nil
		}
		switch path.Ext(name) {
		case ".yaml", ".yml", ".json":
		default:
			return nil
		}
		found, err := parseDocuments(untracked(shown, 1, data), r.Places)
		objects = append(objects, found...)
		return err
	})
	return objects, err
}
