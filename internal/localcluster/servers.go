// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"fmt"
	"path/filepath"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// serverSet is what the folder of servers says of itself in set.json.
type serverSet struct {
	Servers map[string]string   `json:"servers"` // name → version
	Images  map[string][]string `json:"images"`  // archive → references
}

// nodePrograms are the servers that run on nodes outside of pods.
func nodePrograms() []string { return []string{"kubelet", "kubeadm", "kubectl"} }

func readServers(dir string) (set serverSet, err error) {
	path := filepath.Join(dir, "set.json")
	if err := readJSON(path, &set); err != nil {
		return set, err
	}
	for _, program := range append(nodePrograms(), "s3") {
		if !exists(filepath.Join(dir, "bin", program)) {
			return set, noServers(fmt.Errorf("the server %s is not in %s", program, filepath.Join(dir, "bin")))
		}
	}
	for _, want := range []string{"kube-apiserver", "pause", "local-path-provisioner"} {
		if set.image(want) == "" {
			return set, noServers(fmt.Errorf("%s names no image of %s", path, want))
		}
	}
	if set.Servers["kubernetes"] == "" {
		return set, noServers(fmt.Errorf("%s names no version of kubernetes", path))
	}
	return set, nil
}

func noServers(err error) error {
	return hint.With(err, "build the servers with `make servers` (part of `make up`), or name an existing cluster in the environment file")
}

// image is the full reference of the image with that last path element.
func (s serverSet) image(name string) string {
	for _, refs := range s.Images {
		for _, ref := range refs {
			if repository, _, _ := strings.Cut(filepath.Base(ref), ":"); repository == name {
				return ref
			}
		}
	}
	return ""
}
