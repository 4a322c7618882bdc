// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/ignore"

	"clusterup.dev/clusterup/internal/hint"
)

// loaded is a chart and where its parts are in the folder.
type loaded struct {
	*helmchart.Chart
	dir   string
	said  func(error) string // see Input
	files map[*byte]string   // by the content of Chart.yaml: the folder of a chart
	dirs  map[string]string  // by Helm's name of a chart: "web/charts/db"
}

func load(in Input) (*loaded, error) {
	c := &loaded{dir: in.Dir, said: in.said, files: make(map[*byte]string), dirs: make(map[string]string)}
	files, err := c.unpacked(in.Files)
	if err != nil {
		return nil, err
	}
	buffered := make([]*archive.BufferedFile, 0, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data := bytes.Clone(files[name]) // two charts can be the same bytes
		if path.Base(name) == "Chart.yaml" && len(data) > 0 {
			c.files[&data[0]] = path.Join(c.dir, path.Dir(name))
		}
		buffered = append(buffered, &archive.BufferedFile{Name: name, Data: data})
	}
	if c.Chart, err = loader.LoadFiles(buffered); err != nil {
		return nil, fmt.Errorf("%s: %s", c.dir, oneLine(err))
	}
	c.name(c.Chart)
	shown := path.Join(c.dir, "Chart.yaml")
	switch constraint := c.Metadata.KubeVersion; {
	case c.Metadata.Type == "library":
		return nil, fmt.Errorf("%s: %s is a library: it gives no objects", shown, c.Name())
	case constraint != "" && !util.IsCompatibleRange(constraint, KubeVersion):
		return nil, fmt.Errorf("%s: %s is for Kubernetes %s, and this program is for %s", shown, c.Name(), constraint, KubeVersion)
	}
	return c, c.needed(c.Chart)
}

var packed = regexp.MustCompile(`^((?:.*/)?charts/[^/]+)\.tgz$`)

// unpacked leaves out what .helmignore names, and gives charts that are packed in
// charts/ as folders.
func (c *loaded) unpacked(files map[string][]byte) (map[string][]byte, error) {
	rules := ignore.Empty()
	if data, ok := files[ignore.HelmIgnore]; ok {
		var err error
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, fmt.Errorf("%s: %s", path.Join(c.dir, ignore.HelmIgnore), oneLine(err))
		}
	}
	rules.AddDefaults()
	all := make(map[string][]byte, len(files))
	size := 0
	var add func(name string, data []byte) error
	add = func(name string, data []byte) error {
		m := packed.FindStringSubmatch(name)
		if size += len(data); size > maxRendered {
			return fmt.Errorf("%s: holds more than 64 MiB", c.dir)
		}
		if m == nil {
			all[name] = data
			return nil
		}
		inner, err := archive.LoadArchiveFiles(bytes.NewReader(data))
		if err != nil {
			return fmt.Errorf("%s: not a chart: %s", path.Join(c.dir, name), oneLine(err))
		}
		for _, f := range inner {
			if err := add(m[1]+"/"+f.Name, f.Data); err != nil {
				return err
			}
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if ignored(rules, name) {
			continue
		}
		if err := add(name, files[name]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func ignored(rules *ignore.Rules, name string) bool {
	for at := name; at != "."; at = path.Dir(at) {
		if rules.Ignore(at, info{name: path.Base(at), dir: at != name}) {
			return true
		}
	}
	return false
}

// info is as much of a file as rules for ignoring look at.
type info struct {
	name string
	dir  bool
}

func (i info) Name() string     { return i.name }
func (info) Size() int64        { return 0 }
func (info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool      { return i.dir }
func (info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir
	}
	return 0
}

// name remembers where a chart and those below it are.
func (c *loaded) name(chart *helmchart.Chart) {
	for _, f := range chart.Raw {
		if f.Name == "Chart.yaml" && len(f.Data) > 0 {
			c.dirs[chart.ChartFullPath()] = c.files[&f.Data[0]]
		}
	}
	for _, sub := range chart.Dependencies() {
		c.name(sub)
	}
}

func (c *loaded) lacks(chart *helmchart.Chart, d *helmchart.Dependency) error {
	dir := c.dirs[chart.ChartFullPath()]
	return hint.With(fmt.Errorf("%s: %s %s is not in charts/", path.Join(dir, "Chart.yaml"), d.Name, strings.TrimSpace(d.Version)),
		"nothing is fetched: run helm dependency build in %s and keep what it writes", dir)
}
