// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// server is one module below tools/ and the programs its binary is.
type server struct {
	name     string
	module   string   // the dependency whose version is the server's; "" for our own programs
	pkg      string   // what is built; "" is the module's own main package
	ldflags  string   // {version}, {number} (without the v), {major} and {minor} are the dependency's
	programs []string // names in the set; the first is the binary, the rest are the same file
	skip     func(context.Context) bool
}

// catalog is all that can be built, in the order of building.
type catalog struct {
	servers  []server
	archives func(context.Context, builds, cache, *host) []archive
}

// local is what the local environment runs: what others wait for comes first,
// and what takes longest last.
func local() catalog { return catalog{localServers(), imageArchives} }

func localServers() []server {
	return []server{
		{name: "s3", module: "github.com/versity/versitygw", programs: []string{"s3"}},
		{
			name: "kubernetes", module: "k8s.io/kubernetes",
			ldflags: "-X k8s.io/component-base/version.gitVersion={version}" +
				" -X k8s.io/component-base/version.gitMajor={major}" +
				" -X k8s.io/component-base/version.gitMinor={minor}" +
				" -X k8s.io/client-go/pkg/version.gitVersion={version}",
			programs: []string{
				"kubernetes", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
				"kube-proxy", "kubelet", "kubeadm", "kubectl",
			},
		},
		{name: "etcd", module: "go.etcd.io/etcd/server/v3", programs: []string{"etcd"}},
		{name: "coredns", module: "github.com/coredns/coredns", programs: []string{"coredns"}},
		{name: "pause", programs: []string{"pause"}},
		{
			name: "localpath", module: "github.com/rancher/local-path-provisioner",
			pkg:      "github.com/rancher/local-path-provisioner",
			ldflags:  "-X main.VERSION={version}",
			programs: []string{"local-path-provisioner"},
		},
		{name: "volume", programs: []string{"clusterup-volume"}},
		{name: "echo", programs: []string{"echo"}},
		{
			name: "tofu", module: "github.com/opentofu/opentofu",
			pkg:      "github.com/opentofu/opentofu/cmd/tofu",
			ldflags:  "-X github.com/opentofu/opentofu/version.dev=no",
			programs: []string{"tofu"},
			skip:     haveTerraform,
		},
		{name: "consul", module: "github.com/hashicorp/consul", programs: []string{"consul"}},
		{
			name: "traefik", module: "github.com/traefik/traefik/v3",
			pkg:      "github.com/traefik/traefik/v3/cmd/traefik",
			ldflags:  "-X github.com/traefik/traefik/v3/pkg/version.Version={number}",
			programs: []string{"traefik"},
		},
		{name: "vault", module: "github.com/hashicorp/vault", programs: []string{"vault"}},
	}
}

// haveTerraform is why tofu is usually not built: it is here only so that a
// machine without a terraform that is new enough needs no download.
func haveTerraform(ctx context.Context) bool {
	return newEnough(ctx, "terraform") || newEnough(ctx, "tofu")
}

// What terraform/local asks for: since then the state needs no lock but one in
// its bucket.
const leastMajor, leastMinor = 1, 10

var says = regexp.MustCompile(`(?m)^(?:Terraform|OpenTofu) v(\d+)\.(\d+)\.`)

func newEnough(ctx context.Context, program string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "version")
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1") // else it asks the internet for news
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	version := says.FindSubmatch(out)
	if err != nil || version == nil {
		return false
	}
	major, _ := strconv.Atoi(string(version[1]))
	minor, _ := strconv.Atoi(string(version[2]))
	return major > leastMajor || major == leastMajor && minor >= leastMinor
}
