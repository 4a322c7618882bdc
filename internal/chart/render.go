// SPDX-License-Identifier: Apache-2.0

// Package chart renders a Helm chart with Helm's own engine, from files that are
// given to it: without a cluster, a network or anything else of the machine.
package chart

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

// Input is what a render depends on.
type Input struct {
	Files     map[string][]byte // of the chart, by their names inside it
	Dir       string            // the chart as errors name it: "addons/demo/chart"
	Name      string            // of the release
	Namespace string
	Values    map[string]any
	APIs      []string // versions that the cluster has beside those of Kubernetes
	// Scrub takes secrets out of what Helm says, before it gets another form. Nil
	// means that the values hold none.
	Scrub func(text string) string
}

// Document is what one file of the chart gives: YAML, or nothing but space.
type Document struct {
	File string // as errors name it
	Text string
	Own  bool // of crds/: it is no template, and lines are those of the file
}

// Output is a render. Where the chart asked for something that differs by time or
// chance, Again is a second one with other answers: what differs between the two
// would differ from run to run.
type Output struct {
	Documents []Document
	Again     []Document
	Asked     []string // functions that led to Again
	Lookups   []string // templates that looked into the cluster, and found nothing
}

// rendering is held because Helm writes warnings, which can hold values, to the
// program's logger.
var rendering sync.Mutex //nolint:gochecknoglobals // see above

// Render renders the chart.
func Render(ctx context.Context, in Input) (out Output, err error) {
	rendering.Lock()
	defer rendering.Unlock()
	before := log.Writer()
	log.SetOutput(io.Discard)
	defer log.SetOutput(before)
	defer func() {
		if r := recover(); r != nil {
			out, err = Output{}, fmt.Errorf("%s: Helm gave up: %s", in.Dir, in.said(fmt.Errorf("%v", r)))
		}
	}()
	first := &oracle{}
	if out.Documents, err = render(ctx, in, first); err != nil {
		return Output{}, err
	}
	out.Asked, out.Lookups = slices.Sorted(maps.Keys(first.asked)), slices.Sorted(maps.Keys(first.lookups))
	if len(out.Asked) > 0 {
		out.Again, err = render(ctx, in, &oracle{second: true})
	}
	return out, err
}

// said is what Helm says in an error, without secrets.
func (in Input) said(err error) string {
	if in.Scrub == nil {
		return err.Error()
	}
	return in.Scrub(err.Error())
}

func render(ctx context.Context, in Input, o *oracle) ([]Document, error) {
	c, err := load(in)
	if err != nil {
		return nil, err
	}
	values, err := c.values(in)
	if err != nil {
		return nil, err
	}
	e := engine.Engine{CustomTemplateFuncs: o.funcs()}
	rendered, err := e.RenderWithContext(ctx, c.Chart, values)
	if err != nil {
		return nil, c.explain(err)
	}
	var documents []Document
	for _, crd := range c.CRDObjects() {
		documents = append(documents, Document{File: c.place(path.Clean(crd.Filename)), Text: string(crd.File.Data), Own: true})
	}
	size := 0
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if path.Base(name) == "NOTES.txt" || strings.TrimSpace(rendered[name]) == "" {
			continue
		}
		if size += len(rendered[name]); size > maxRendered {
			return nil, fmt.Errorf("%s: renders more than 64 MiB", in.Dir)
		}
		documents = append(documents, Document{File: c.place(name), Text: rendered[name]})
	}
	slices.SortStableFunc(documents, func(a, b Document) int { return strings.Compare(a.File, b.File) })
	return documents, nil
}

const maxRendered = 64 << 20

// values gives what the templates see.
func (c *loaded) values(in Input) (common.Values, error) {
	if err := util.ProcessDependencies(c.Chart, in.Values); err != nil {
		return nil, c.explain(err)
	}
	c.name(c.Chart) // aliases are known by now
	capabilities, err := capabilities(in.APIs)
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: in.Name, Namespace: in.Namespace, Revision: 1, IsInstall: true}
	all, err := commonutil.ToRenderValuesWithSchemaValidation(c.Chart, in.Values, options, capabilities, true)
	if err != nil {
		return nil, c.explain(err)
	}
	own, err := all.Table("Values")
	if err != nil {
		return nil, c.explain(err)
	}
	return all, c.validate(c.Chart, own.AsMap())
}

// needed refuses a chart that cannot be installed here, or that lacks a chart it
// depends on: nothing is fetched.
func (c *loaded) needed(chart *helmchart.Chart) error {
	for _, d := range chart.Metadata.Dependencies {
		if d != nil && !slices.ContainsFunc(chart.Dependencies(), func(sub *helmchart.Chart) bool {
			return sub.Name() == d.Name && (d.Version == "" || util.IsCompatibleRange(d.Version, sub.Metadata.Version))
		}) {
			return c.lacks(chart, d)
		}
	}
	for _, sub := range chart.Dependencies() {
		if err := c.needed(sub); err != nil {
			return err
		}
	}
	return nil
}
