// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/internal/chart"
	"clusterup.dev/clusterup/internal/hint"
)

// chart renders a Helm chart, with the values that its template gives.
func (r *renderer) chart(dir string) ([]Object, error) {
	in := chart.Input{
		Files: make(map[string][]byte), Dir: r.Addon.Dir + "/" + dir,
		Name: r.Addon.Name, Namespace: r.Addon.Namespace, APIs: r.Addon.Upstream.APIs,
	}
	err := r.Addon.walk(dir, func(name string, data []byte) error {
		in.Files[strings.TrimPrefix(name, dir+"/")] = data
		return nil
	})
	if err != nil {
		return nil, err
	}
	if in.Values, err = r.chartValues(); err != nil {
		return nil, err
	}
	in.Scrub = r.scrubber()
	out, err := chart.Render(context.Background(), in) // it is computation alone, and Helm's engine asks for a context
	if err != nil {
		return nil, err
	}
	objects, err := r.released(out.Documents)
	if err != nil {
		return nil, err
	}
	for _, kind := range out.Lookups {
		r.notice(in.Dir, "looks for a "+kind+" in the cluster, and is told that there is none")
	}
	if len(out.Asked) > 0 {
		again, err := r.released(out.Again)
		if err != nil {
			return nil, err
		}
		if err := constant(objects, again, out.Asked); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

func (r *renderer) notice(where, what string) {
	if r.Notice != nil {
		r.Notice(where, what)
	}
}

// chartValues renders the chart's values as a manifest is rendered.
func (r *renderer) chartValues() (map[string]any, error) {
	values := map[string]any{}
	if r.Addon.Upstream.Values == "" {
		return values, nil
	}
	name := r.Addon.Dir + "/" + path.Clean(r.Addon.Upstream.Values)
	out, err := r.execute(name)
	if err != nil {
		return nil, err
	}
	if _, err := yaml.YAMLToJSONStrict(out.Bytes()); err != nil {
		return nil, yamlFault(out, 0, out.Len(), err)
	}
	if err := yaml.Unmarshal(out.Bytes(), &values); err != nil { // numbers become what Helm makes of them
		return nil, fault(name, 0, "the chart's values are not a mapping")
	}
	return values, nil
}

// released gives the objects of a chart's documents, without its hooks.
func (r *renderer) released(documents []chart.Document) ([]Object, error) {
	var objects []Object
	for _, d := range documents {
		line := 0
		if d.Own {
			line = 1
		}
		found, err := parseDocuments(untracked(d.File, line, []byte(d.Text)), r.Places && d.Own)
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			wanted, err := r.wanted(o)
			if err != nil {
				return nil, err
			}
			if wanted {
				objects = append(objects, o)
			}
		}
	}
	return objects, nil
}

const hookAnnotation = "helm.sh/hook"

// wanted says whether an object of a chart is to be applied. Nothing here runs at
// moments of an installation, so that what becomes of a hook has to be said.
func (r *renderer) wanted(o Object) (bool, error) {
	moments, isHook := o.GetAnnotations()[hookAnnotation]
	if !isHook {
		return true, nil
	}
	hooks := r.Addon.Upstream.Hooks
	decided := cmp.Or(hooks[o.GetKind()+"/"+o.GetName()], hooks[o.GetKind()])
	switch {
	case decided != "":
		return decided == hookApply, nil
	case strings.TrimSpace(moments) == "crd-install":
		return true, nil
	}
	for moment := range strings.SplitSeq(moments, ",") {
		if !slices.Contains([]string{"test", "test-success", "test-failure"}, strings.TrimSpace(moment)) {
			pattern := o.GetKind() + "/" + o.GetName()
			return false, hint.With(fault(o.File, o.Line, "%s is a hook of Helm (%s), and no moment like it is known here", pattern, moments),
				"turn it off in the chart's values, or say under source what becomes of it: hooks: {%s: %s} or %s", pattern, hookApply, hookOmit)
		}
	}
	return false, nil
}

// constant refuses a chart that would give other objects with every render.
func constant(one, other []Object, asked []string) error {
	moving := func(o Object, what string) error {
		return hint.With(fault(o.File, o.Line, "%s would differ each time: the chart asks for %s", what, strings.Join(asked, ", ")),
			"set what it makes up in the chart's values, a secret from a token")
	}
	for i := range min(len(one), len(other)) {
		if identity(one[i]) != identity(other[i]) {
			return moving(one[i], "the name of "+one[i].GetKind())
		}
		if field := difference(one[i].Object, other[i].Object, ""); field != "" {
			return moving(one[i], field+" of "+one[i].GetKind()+" "+one[i].GetName())
		}
	}
	if len(one) != len(other) {
		return moving(append(one, other...)[min(len(one), len(other))], "the number of objects")
	}
	return nil
}
