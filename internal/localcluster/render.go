// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/netip"
	"text/template"

	"clusterup.dev/clusterup/templates/node"
)

// skippedPhases are what kubeadm need not do: every kubelet got its
// configuration and its identity from us and runs already, so there are no
// bootstrap tokens and nobody has to join.
const skippedPhases = "preflight, kubelet-start, upload-config/kubelet, bootstrap-token, kubelet-finalize, show-join-command"

// facts are what the templates of the nodes' configuration are filled with.
type facts struct {
	Environment string
	Name        string // of the node
	Address     netip.Addr
	Pods        netip.Prefix
	Cgroup      string
	Hosts       []host

	Endpoint  string
	APIServer netip.Addr
	Services  netip.Prefix
	Cluster   netip.Prefix
	DNS       netip.Addr

	MTU     int
	CNI     string // folder of the plugins
	Version string // of Kubernetes
	Images  struct{ Pause, Storage string }
	Skip    string // kubeadm's phases that are done in other ways
}

type host struct {
	Address netip.Addr
	Name    string
}

func newFacts(l layout, n network, set serverSet, index, nodes, mtu int, cni string) facts {
	f := facts{
		Environment: l.environment, Name: NodeName(l.environment, index),
		Address: n.node(index), Pods: n.pods(index), Cgroup: l.nodeCgroup(index),
		Endpoint: n.endpoint(), APIServer: n.node(1), Services: n.services(), Cluster: n.cluster(), DNS: n.dns(),
		MTU: mtu, CNI: cni, Version: set.Servers["kubernetes"], Skip: skippedPhases,
	}
	f.Images.Pause, f.Images.Storage = set.image("pause"), set.image("local-path-provisioner")
	for i := 1; i <= nodes; i++ {
		f.Hosts = append(f.Hosts, host{n.node(i), NodeName(l.environment, i)})
	}
	return f
}

// identity is what a kubeconfig is filled with. It holds a private key.
type identity struct {
	Environment, Endpoint, User string
	CA, Certificate, Key        string // base64 of PEM
}

func renderKubeconfig(environment, endpoint, user string, ca, cert, key []byte) ([]byte, error) {
	b64 := base64.StdEncoding.EncodeToString
	return render("kubeconfig", identity{environment, endpoint, user, b64(ca), b64(cert), b64(key)})
}

func render(name string, data any) ([]byte, error) {
	t, err := template.New(name+".tmpl").Option("missingkey=error").ParseFS(node.Files, name+".tmpl")
	if err != nil {
		return nil, fmt.Errorf("read the template of %s: %w", name, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("fill the template of %s: %w", name, err)
	}
	return b.Bytes(), nil
}
