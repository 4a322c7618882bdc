// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"maps"
	"slices"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
)

// image looks at one reference. What comes from source is mapped to mirrors
// wherever it is named.
func (l *linter) image(a *addon.Addon, o addon.Object, path string, c map[string]any) {
	ref, _ := c["image"].(string)
	switch {
	case ref == "" || slices.Contains(slices.Collect(maps.Values(a.Images)), ref):
	case !addon.Exact(ref):
		l.report(hint.With(o.Fault(path+".image", "%s: image %s has no exact version", o.Title(), ref), "%s",
			advise(a, o, "give a tag other than latest, or a digest; best under images: in "+addon.MetadataFile, "give a tag other than latest, or a digest")))
	case !o.Brought:
		l.warn(hint.With(o.Fault(path+".image", "%s: image %s is not under images: in %s, so an environment cannot map it to a mirror", o.Title(), ref, addon.MetadataFile),
			`name it there, and write {{ image "key" }} here`))
	}
}

// advise says what to do about an object: the line of a manifest, or, where nothing is
// a template, the words, and the place for it.
func advise(a *addon.Addon, o addon.Object, line, words string) string {
	switch {
	case !o.Brought:
		return line
	case a.Upstream.Chart != "":
		return words + ", by the chart's values"
	case a.Upstream.Kustomize != "":
		return words + ", in a patch of the kustomization"
	}
	return words + ", in the file itself"
}
