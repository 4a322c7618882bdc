// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// These three are what kubeadm asks for by name, whatever version our own
// module has; checkNames fails when a new kubeadm asks for others.
const (
	etcdImage    = "registry.k8s.io/etcd:3.6.8-0"
	corednsImage = "registry.k8s.io/coredns/coredns:v1.14.2"
	pauseImage   = "registry.k8s.io/pause:3.10.2"
)

// echoImage is published nowhere: it is for samples and tests here, and no
// add-on of the repository names it.
const echoImage = "clusterup.dev/echo:0.2.0"

// builds finds a server of this run by its name.
type builds map[string]built

// imageArchives are the files of images: what a cluster needs to start, the
// add-ons, and the samples, so that bumping Vault does not repack Kubernetes.
func imageArchives(ctx context.Context, b builds, c cache, h *host) []archive {
	base := layer{"base", append(h.certificates(), users()...)}
	shell := layer{"shell", h.busybox(ctx)}
	bin := func(server, path string, links ...string) layer {
		files := []file{{path: path, mode: 0o755, from: b[server].binary(c), id: b[server].id()}}
		for _, l := range links {
			files = append(files, file{path: l, link: path})
		}
		return layer{server, files}
	}

	programs := []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"}
	var links []string
	for _, p := range programs {
		links = append(links, "/usr/local/bin/"+p)
	}
	kubernetes := bin("kubernetes", "/usr/local/bin/kubernetes", links...)
	version := b["kubernetes"].version
	var kube []image
	for _, p := range programs { // no entrypoint: kubeadm's manifests name the program
		i := image{ref: "registry.k8s.io/" + p + ":" + version, layers: []layer{base, kubernetes}}
		if p == "kube-proxy" {
			i.layers = []layer{base, {"netfilter", h.programs(ctx, "nft", "conntrack")}, kubernetes}
		}
		kube = append(kube, i)
	}
	kube = append(kube,
		image{ref: etcdImage, layers: []layer{base, bin("etcd", "/usr/local/bin/etcd")}},
		// It stays root: without a file capability no other user may bind port 53.
		image{ref: corednsImage, entrypoint: []string{"/coredns"}, layers: []layer{base, bin("coredns", "/coredns")}},
		image{ref: pauseImage, entrypoint: []string{"/pause"}, user: "65535:65535", layers: []layer{bin("pause", "/pause")}},
		image{
			ref:        "docker.io/rancher/local-path-provisioner:" + b["localpath"].version,
			entrypoint: []string{"local-path-provisioner"},
			layers: []layer{
				base,
				bin("localpath", "/usr/bin/local-path-provisioner"),
				bin("volume", "/clusterup-volume"),
			},
		},
	)

	consul := image{
		ref:        "docker.io/hashicorp/consul:" + strings.TrimPrefix(b["consul"].version, "v"),
		entrypoint: []string{"/bin/consul"},
		cmd:        []string{"agent", "-dev", "-client", "0.0.0.0"},
		layers:     []layer{base, shell, account("consul", "data", "config"), bin("consul", "/bin/consul")},
	}
	vault := image{
		ref:        "docker.io/hashicorp/vault:" + strings.TrimPrefix(b["vault"].version, "v"),
		entrypoint: []string{"/bin/vault"},
		cmd:        []string{"server", "-dev"},
		layers:     []layer{base, shell, account("vault", "file", "logs", "config"), bin("vault", "/bin/vault")},
	}
	traefik := image{
		ref:        "docker.io/library/traefik:" + b["traefik"].version,
		entrypoint: []string{"/usr/local/bin/traefik"},
		user:       "65532:65532",
		layers:     []layer{base, bin("traefik", "/usr/local/bin/traefik")},
	}
	echo := image{ref: echoImage, entrypoint: []string{"/echo"}, user: "65532:65532", layers: []layer{bin("echo", "/echo")}}
	return []archive{
		{
			name: "images-kube", servers: []string{"kubernetes", "etcd", "coredns", "pause", "localpath", "volume"},
			images: kube,
			check:  func(ctx context.Context) error { return checkNames(ctx, b["kubernetes"].binary(c), version, kube) },
		},
		{name: "images-samples", servers: []string{"echo"}, images: []image{echo}},
		{name: "images-ingress", servers: []string{"traefik"}, images: []image{traefik}},
		{name: "images-addons", servers: []string{"consul", "vault"}, images: []image{consul, vault}},
	}
}

// checkNames holds our names against those of the kubeadm just built: a name
// that is off by a letter would show only as a pod that cannot pull.
func checkNames(ctx context.Context, kubernetes, version string, have []image) error {
	out, err := exec.CommandContext(ctx, kubernetes, "kubeadm", "config", "images", "list", "--kubernetes-version", version).Output()
	if err != nil {
		return fmt.Errorf("ask kubeadm for its images: %w", err)
	}
	for _, want := range strings.Fields(string(out)) {
		if !slices.ContainsFunc(have, func(i image) bool { return i.ref == want }) {
			return withHint(fmt.Errorf("kubeadm %s asks for %s, which no image is named", version, want),
				"correct the names in tools/builder/images.go")
		}
	}
	return nil
}
