// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/release"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// The words that name a release without its digest.
const (
	nameCurrent  = "current"
	namePrevious = "previous" // current before the current one
)

// findRelease gives the digest that a reader means: "current", "previous", or the
// beginning of a digest that only one release has.
func (s *Session) findRelease(ctx context.Context, name string) (string, error) {
	library := &release.Library{Bucket: s.bucket}
	if name == nameCurrent || name == namePrevious {
		current, err := library.Current(ctx)
		if err != nil {
			return "", err
		}
		digest := current.Digest
		if name == namePrevious {
			digest = current.Previous
		}
		if digest == "" {
			return "", hint.With(fmt.Errorf("%s has no %s release", s.Name(), name), "see `clusterup release list %s`", s.Name())
		}
		return digest, nil
	}
	all, err := library.Digests(ctx)
	if err != nil {
		return "", err
	}
	found := slices.DeleteFunc(slices.Clone(all), func(digest string) bool { return !strings.HasPrefix(digest, strings.ToLower(name)) })
	switch {
	case name != "" && len(found) == 1:
		return found[0], nil
	case name != "" && len(found) > 1:
		return "", hint.With(fmt.Errorf("%d releases begin with %q", len(found), name), "write more of it: %s", some(shorts(found)))
	}
	known := append(shorts(all), nameCurrent, namePrevious)
	meant := strictyaml.Nearest(name[:min(len(name), 12)], known)
	if meant == "" {
		meant = fmt.Sprintf("see `clusterup release list %s`", s.Name())
	}
	return "", hint.With(fmt.Errorf("%s has no release %q", s.Name(), name), "%s", meant)
}

func shorts(digests []string) []string {
	all := make([]string, 0, len(digests))
	for _, digest := range digests {
		all = append(all, Short(digest))
	}
	return all
}
