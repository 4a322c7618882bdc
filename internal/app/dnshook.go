// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/coredns"
	"clusterup.dev/clusterup/internal/kube"
)

// consulDomain is below which Consul answers for what it knows; it knows itself.
const (
	consulDomain = "consul"
	consulItself = "consul.service.consul"
)

// dnsSteps gives the step that sends Consul's names from CoreDNS to a Service.
func dnsSteps(s *Session, c chosen, call addon.Hook) ([]converge.Item, error) {
	wanted, _ := call.With["enabled"].(bool)
	at := nameServers{
		session: s,
		file:    kube.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: call.Text("namespace"), Name: call.Text("configMap")},
		service: kube.Ref{APIVersion: "v1", Kind: "Service", Namespace: c.Namespace, Name: call.Text("service")},
	}
	dns := coredns.New(coredns.Config{
		Cluster: at, Step: c.Name + "/dns", Environment: s.Name(), Domain: consulDomain, Probe: consulItself,
		Object: at.file.String(), Service: at.service.String(), Wanted: wanted,
		Hint: "give the add-on " + c.Name + " the values dns: {enabled: false}, or under dns.coredns the ConfigMap that the cluster's CoreDNS reads",
	})
	if wanted {
		s.reports[c.Name] = append(s.reports[c.Name], dnsReport(c.Name+" dns", dns))
	}
	return []converge.Item{{Step: dns.Step()}}, nil
}

// nameServers are the CoreDNS of the cluster, and the Service that names go to.
type nameServers struct {
	session       *Session
	file, service kube.Ref
}

// corefileKey is what every CoreDNS in a cluster calls its file.
const corefileKey = "Corefile"

// reach is the cluster; none where the nodes, with all that is on them, are
// removed with the environment.
func (n nameServers) reach(ctx context.Context) (*kube.Cluster, error) {
	if n.session.mode == removing && n.session.local != nil {
		return nil, converge.ErrNotYet
	}
	return n.session.reachable(ctx)
}

// Address is the Service's first cluster IP.
func (n nameServers) Address(ctx context.Context) (string, error) {
	cluster, err := n.reach(ctx)
	if err != nil {
		return "", err
	}
	live, err := cluster.Get(ctx, n.service)
	if err != nil || live == nil {
		return "", err
	}
	address, _, _ := unstructured.NestedString(live.Object, "spec", "clusterIP")
	return address, nil
}

// Corefile reads it from its ConfigMap.
func (n nameServers) Corefile(ctx context.Context) (coredns.File, error) {
	cluster, err := n.reach(ctx)
	if err != nil {
		return coredns.File{}, err
	}
	live, err := cluster.Get(ctx, n.file)
	if err != nil {
		return coredns.File{}, err
	}
	if live == nil {
		return coredns.File{}, fs.ErrNotExist
	}
	text, _, _ := unstructured.NestedString(live.Object, "data", corefileKey)
	if strings.TrimSpace(text) == "" {
		return coredns.File{}, fs.ErrNotExist
	}
	file := coredns.File{Text: text, Version: live.GetResourceVersion()}
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == kube.Manager && entry.Time != nil {
			file.Written = entry.Time.Time
		}
	}
	return file, nil
}

// Replace writes it, if it is still the one that was read.
func (n nameServers) Replace(ctx context.Context, was coredns.File, text string) error {
	cluster, err := n.reach(ctx)
	if err != nil {
		return err
	}
	return cluster.Edit(ctx, n.file, was.Version, map[string]any{"data": map[string]any{corefileKey: text}})
}

// Servers names the pods of CoreDNS by the label that they have everywhere.
func (n nameServers) Servers(ctx context.Context) ([]string, error) {
	cluster, err := n.reach(ctx)
	if err != nil {
		return nil, err
	}
	pods, err := cluster.Pods(ctx, n.file.Namespace, "k8s-app=kube-dns")
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, p := range pods {
		if p.Ready && !p.Deleting {
			names = append(names, p.Name)
		}
	}
	return names, nil
}

// Dial connects to the DNS port of a pod.
func (n nameServers) Dial(ctx context.Context, pod string) (net.Conn, error) {
	const port = 53
	return clusterDialer{n.session}.Dial(ctx, n.file.Namespace, pod, port)
}

// dnsReport says how many CoreDNS answer for Consul. While they may not have read
// their file yet, that is no fault.
func dnsReport(name string, dns *coredns.DNS) report {
	return func(ctx context.Context) []LayerStatus {
		status, err := dns.Status(ctx)
		if err != nil {
			return []LayerStatus{failed(name, err)}
		}
		row := LayerStatus{Name: name, Healthy: status.Whole() || status.Loading()}
		row.Summary = fmt.Sprintf("%d of %d CoreDNS answering for %s", status.Answering, status.Servers, consulItself)
		switch {
		case status.Whole():
		case status.Loading():
			row.Detail = fmt.Sprintf("its file was written %s ago; reading it takes up to two minutes", status.Age.Round(time.Second))
		case !status.Block:
			row.Detail = "nothing in its file sends it names of " + consulDomain
		default:
			row.Detail = strings.Join(status.Silent, "; ")
		}
		return []LayerStatus{row}
	}
}
