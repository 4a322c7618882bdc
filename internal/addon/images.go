// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// imageRef is registry/path, then a tag, a digest or both.
var imageRef = regexp.MustCompile(`^([a-z0-9][a-zA-Z0-9._:-]*/[a-z0-9][a-z0-9._/-]*)(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)

func (a *Addon) checkImages() error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(a.Images)) {
		ref := a.Images[key]
		m := imageRef.FindStringSubmatch(ref)
		switch {
		case m == nil:
			errs = append(errs, hint.With(a.errorf(field("images", key), "%q names no image", ref), "registry, path and version: docker.io/hashicorp/consul:1.21.4"))
		case m[3] == "" && (m[2] == "" || m[2] == ":latest"):
			errs = append(errs, hint.With(a.errorf(field("images", key), "image %s has no exact version", ref), "give a tag other than latest, or a digest"))
		}
	}
	return errors.Join(errs...)
}

// Exact reports whether a reference says which image it means: it has a tag
// other than latest, or a digest.
func Exact(ref string) bool {
	_, version := splitRef(ref)
	return version != "" && version != ":" && version != ":latest"
}

// Mirror gives what an environment puts in the place of an image. Keys of the
// map are, and are tried in this order: a whole reference; a repository (its
// replacement keeps the version when it names none); a leading part of a
// repository such as a registry, of which the longest counts.
func Mirror(ref string, images map[string]string) string {
	if to, ok := images[ref]; ok {
		return to
	}
	repository, version := splitRef(ref)
	if to, ok := images[repository]; ok {
		if _, has := splitRef(to); has != "" {
			return to
		}
		return to + version
	}
	longest := ""
	for from := range images {
		if prefix := strings.TrimSuffix(from, "/"); len(prefix) > len(longest) && strings.HasPrefix(repository, prefix+"/") {
			longest = prefix
		}
	}
	if longest == "" {
		return ref
	}
	to, ok := images[longest]
	if !ok {
		to = images[longest+"/"]
	}
	return strings.TrimSuffix(to, "/") + strings.TrimPrefix(ref, longest)
}

// splitRef cuts ":tag" and "@digest" off.
func splitRef(ref string) (repository, version string) {
	end := len(ref)
	if at := strings.IndexByte(ref, '@'); at >= 0 {
		end = at
	}
	if colon := strings.LastIndexByte(ref[:end], ':'); colon > strings.LastIndexByte(ref[:end], '/') {
		end = colon
	}
	return ref[:end], ref[end:]
}
