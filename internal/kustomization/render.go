// SPDX-License-Identifier: Apache-2.0

// Package kustomization builds a kustomization from files that are given to it:
// in memory, without a network, plugins or anything else of the machine.
package kustomization

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Resource is one object of a build.
type Resource struct {
	JSON []byte
	File string // that it was read from, or the kustomization that made it
	Made bool   // by a generator
}

const originAnnotation = "config.kubernetes.io/origin"

// building is held because the library keeps its OpenAPI schema in a variable.
var building sync.Mutex //nolint:gochecknoglobals // see above

// Render builds the kustomization in the folder dir of files, whose names begin
// with root, a name for errors. Bases may be anywhere in files.
func Render(files map[string][]byte, root, dir string) (resources []Resource, err error) {
	building.Lock()
	defer building.Unlock()
	defer func() {
		if r := recover(); r != nil {
			resources, err = nil, fmt.Errorf("%s: kustomize gave up: %v", path.Join(root, dir), r)
		}
	}()
	b := &build{files: files, root: root, memory: filesys.MakeFsInMemory()}
	entry, err := b.prepare(dir)
	if err != nil {
		return nil, err
	}
	options := krusty.MakeDefaultOptions()
	options.PluginConfig = types.DisabledPluginConfig()
	built, err := krusty.MakeKustomizer(options).Run(b.memory, b.inside(dir))
	if err != nil {
		return nil, b.explain(entry, err)
	}
	return b.resources(built, dir, entry)
}

type build struct {
	files  map[string][]byte
	root   string
	memory filesys.FileSystem
	marked bool // the kustomization asks for origins itself
}

// inside is the name of a file in memory.
func (b *build) inside(name string) string { return path.Join("/", b.root, name) }

func (b *build) resources(built resmap.ResMap, dir, entry string) ([]Resource, error) {
	resources := make([]Resource, 0, built.Size())
	for _, found := range built.Resources() {
		r := Resource{File: entry}
		origin, err := found.GetOrigin()
		switch {
		case err != nil:
			return nil, b.explain(entry, err)
		case origin != nil && origin.Path != "":
			r.File = path.Join(b.root, dir, origin.Path)
		case origin != nil && origin.ConfiguredIn != "":
			r.File, r.Made = path.Join(b.root, dir, origin.ConfiguredIn), true
		}
		if !b.marked {
			annotations := found.GetAnnotations()
			delete(annotations, originAnnotation)
			if err := found.SetAnnotations(annotations); err != nil {
				return nil, b.explain(entry, err)
			}
		}
		if r.JSON, err = found.MarshalJSON(); err != nil {
			return nil, b.explain(entry, err)
		}
		resources = append(resources, r)
	}
	return resources, nil
}

// explain puts the kustomization before the library's error, on one line, with
// files as errors name them.
func (b *build) explain(entry string, err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if !path.IsAbs(b.root) {
		text = strings.ReplaceAll(text, b.inside("")+"/", b.root+"/")
		text = strings.ReplaceAll(text, "'"+b.inside("")+"'", "'"+b.root+"'")
	}
	return errors.New(entry + ": " + text)
}

// isKustomization says whether a file is what kustomize looks for in a folder.
func isKustomization(name string) bool {
	return slices.Contains([]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}, path.Base(name))
}
