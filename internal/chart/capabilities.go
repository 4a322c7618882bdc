// SPDX-License-Identifier: Apache-2.0

package chart

import (
	_ "embed"
	"fmt"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
)

// KubeVersion is the Kubernetes that charts are rendered for.
const KubeVersion = "v1.36.3"

// served is what that one serves: versions and kinds, one a line.
//
//go:embed apis.txt
var served string

// capabilities are those of a cluster that nobody has added anything to. Nothing
// in them differs between builds of this program.
func capabilities(more []string) (*common.Capabilities, error) {
	version, err := common.ParseKubeVersion(KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("reading the version of Kubernetes: %w", err)
	}
	c := common.DefaultCapabilities.Copy()
	c.KubeVersion = *version
	c.APIVersions = append(common.VersionSet(strings.Fields(served)), more...)
	c.HelmVersion.Version, c.HelmVersion.KubeClientVersion = "v4.3.1", "v1.36"
	c.HelmVersion.GoVersion, c.HelmVersion.GitCommit, c.HelmVersion.GitTreeState = "", "", ""
	return c, nil
}
