// SPDX-License-Identifier: Apache-2.0

package kustomization

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/internal/hint"
)

// prepare puts the files into memory and gives the name of the kustomization
// to build. All kustomizations are checked, as any may be a base.
func (b *build) prepare(dir string) (string, error) {
	entry := ""
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		data := b.files[name]
		if err := checkAnchors(path.Join(b.root, name), data); err != nil {
			return "", err
		}
		if isKustomization(name) {
			if path.Dir(name) == dir {
				entry = name
			}
			var err error
			if data, err = b.modern(name, data, path.Dir(name) == dir); err != nil {
				return "", err
			}
		}
		if err := b.memory.WriteFile(b.inside(name), data); err != nil {
			return "", fmt.Errorf("reading %s: %w", path.Join(b.root, name), err)
		}
	}
	if entry == "" {
		return "", hint.With(fmt.Errorf("%s: has no kustomization.yaml", path.Join(b.root, dir)), "source.kustomize names the folder that kustomize build would be given")
	}
	return path.Join(b.root, entry), nil
}

// modern checks a kustomization and writes deprecated fields as `kustomize edit
// fix` does, because the library prints a warning for each. It asks for the origin
// of all resources.
func (b *build) modern(name string, data []byte, isEntry bool) ([]byte, error) {
	var k types.Kustomization
	if err := k.Unmarshal(data); err != nil {
		return nil, fmt.Errorf("%s: %s", path.Join(b.root, name), strings.Join(strings.Fields(err.Error()), " "))
	}
	k.FixKustomization()
	for _, patch := range k.PatchesStrategicMerge { //nolint:staticcheck // deprecated, and in use
		if _, ok := b.files[path.Join(path.Dir(name), string(patch))]; ok {
			k.Patches = append(k.Patches, types.Patch{Path: string(patch)})
		} else {
			k.Patches = append(k.Patches, types.Patch{Patch: string(patch)})
		}
	}
	k.PatchesStrategicMerge = nil //nolint:staticcheck // see above
	if err := k.FixKustomizationPreMarshalling(b.memory); err != nil {
		return nil, fmt.Errorf("%s: %w", path.Join(b.root, name), err)
	}
	for _, patch := range k.Patches {
		if err := checkAnchors(path.Join(b.root, name), []byte(patch.Patch)); err != nil {
			return nil, err
		}
	}
	if isEntry {
		b.marked = slices.Contains(k.BuildMetadata, types.OriginAnnotations)
		if !b.marked {
			k.BuildMetadata = append(k.BuildMetadata, types.OriginAnnotations)
		}
	}
	written, err := yaml.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path.Join(b.root, name), err)
	}
	var fields map[string]any
	if err := yaml.Unmarshal(written, &fields); err != nil {
		return nil, fmt.Errorf("%s: %w", path.Join(b.root, name), err)
	}
	return written, b.check(name, data, fields)
}
