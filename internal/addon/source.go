// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"

	"clusterup.dev/clusterup/internal/hint"
)

// Upstream names manifests that were not written for clusterup. They stand in
// the folder, and nothing is fetched. At most one of Plain, Kustomize and Chart
// is set.
type Upstream struct {
	Plain     string            `yaml:"plain"`     // a folder of YAML files, taken as they are
	Kustomize string            `yaml:"kustomize"` // a folder with kustomization.yaml
	Chart     string            `yaml:"chart"`     // a Helm chart with all that it depends on
	Values    string            `yaml:"values"`    // of the chart: a template, as manifests are
	Hooks     map[string]string `yaml:"hooks"`     // what becomes of the chart's hooks: "Job/migrate: apply"
	APIs      []string          `yaml:"apis"`      // versions that the chart is to find beside those of Kubernetes
}

// What may become of a chart's hook.
const (
	hookApply = "apply" // it is an object like any other
	hookOmit  = "omit"
)

var apiVersion = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*(/v[a-z0-9]+)?(/[A-Z][A-Za-z0-9]*)?$`)

func (a *Addon) checkUpstream() error {
	u, given := a.Upstream, 0
	dirs := map[string]string{"plain": u.Plain, "kustomize": u.Kustomize, "chart": u.Chart}
	for _, key := range slices.Sorted(maps.Keys(dirs)) {
		dir := dirs[key]
		if dir == "" {
			continue
		}
		if given++; given > 1 {
			return a.errorf(field("source"), "source names more than one of plain, kustomize and chart")
		}
		if dir = path.Clean(dir); dir == manifestsDir || dir == filesDir || dir == "." {
			return hint.With(a.errorf(field("source", key), "%s is not a folder of its own", dir), "put what others wrote into a folder beside %s", manifestsDir)
		}
		if err := a.checkFolder(dir, field("source", key)); err != nil {
			return err
		}
	}
	if u.Chart == "" && (u.Values != "" || len(u.Hooks) > 0 || len(u.APIs) > 0) {
		return hint.With(a.errorf(field("source"), "values, hooks and apis are of a chart, and source names none"), "name the chart's folder under chart")
	}
	return a.checkChart()
}

func (a *Addon) checkChart() error {
	if values := a.Upstream.Values; values != "" {
		if info, err := fs.Stat(a.files, path.Clean(values)); err != nil || !info.Mode().IsRegular() {
			return a.errorf(field("source", "values"), "there is no file %s", a.Dir+"/"+values)
		}
		if err := a.noLinks(path.Clean(values), field("source", "values")); err != nil {
			return err
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(a.Upstream.Hooks)) {
		if err := a.checkPattern(pattern, "source", "hooks", pattern); err != nil {
			return err
		}
		if what := a.Upstream.Hooks[pattern]; what != hookApply && what != hookOmit {
			return hint.With(a.errorf(field("source", "hooks", pattern), "a hook cannot be %q", what), "%s it like any other object, or %s it", hookApply, hookOmit)
		}
	}
	for i, api := range a.Upstream.APIs {
		if !apiVersion.MatchString(api) {
			return hint.With(a.errorf(field("source", "apis", i), "%q names no API version", api), "write it like monitoring.coreos.com/v1")
		}
	}
	return nil
}

func (a *Addon) checkFolder(dir string, at []any) error {
	if !fs.ValidPath(dir) {
		return hint.With(a.errorf(at, "%s is outside of the add-on's folder", dir), "copy it into %s: an add-on is one folder", a.Dir)
	}
	if err := a.noLinks(dir, at); err != nil {
		return err
	}
	if info, err := fs.Stat(a.files, dir); err != nil || !info.IsDir() {
		return a.errorf(at, "there is no folder %s", a.Dir+"/"+dir)
	}
	return nil
}

// noLinks refuses a path that leads through a symbolic link: where it leads is
// not part of the folder.
func (a *Addon) noLinks(name string, at []any) error {
	for part := name; part != "."; part = path.Dir(part) {
		if info, err := fs.Lstat(a.files, part); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return a.errorf(at, "%s is a symbolic link", a.Dir+"/"+part)
		}
	}
	return nil
}

// bring renders what the folder has from others.
func (r *renderer) bring() ([]Object, error) {
	var objects []Object
	var err error
	switch u := r.Addon.Upstream; {
	case u.Plain != "":
		objects, err = r.plain(path.Clean(u.Plain))
	case u.Kustomize != "":
		objects, err = r.kustomize(path.Clean(u.Kustomize))
	case u.Chart != "":
		objects, err = r.chart(path.Clean(u.Chart))
	}
	for i := range objects {
		objects[i].Brought = true
		r.mirror(objects[i])
	}
	return objects, err
}

// walk gives every file below dir, sorted. What is no file and no folder, such
// as a symbolic link, is refused.
func (a *Addon) walk(dir string, each func(name string, data []byte) error) error {
	size := 0
	err := fs.WalkDir(a.files, dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("reading %s: %w", a.Dir+"/"+name, err)
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return hint.With(fault(a.Dir+"/"+name, 0, "neither a file nor a folder"), "put the file itself here: an add-on holds all that it needs")
		}
		data, err := fs.ReadFile(a.files, name)
		if err != nil {
			return fmt.Errorf("reading %s: %w", a.Dir+"/"+name, err)
		}
		if size += len(data); size > maxRendered {
			return fault(a.Dir+"/"+dir, 0, "holds more than 64 MiB")
		}
		return each(name, data)
	})
	return err
}
