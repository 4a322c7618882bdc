// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/ingress"
)

// ingressSteps gives the step that sends a request through every controller.
func ingressSteps(s *Session, c chosen, call addon.Hook) ([]converge.Item, error) {
	class, domain := call.Text("class"), call.Text("domain")
	in := ingress.New(ingress.Config{
		Cluster: controllersOf{session: s, addon: c.Name, namespace: c.Namespace},
		Step:    c.Name + "/routes", Class: class, Domain: domain, Timeout: c.Ready.Timeout,
		CA: func(ctx context.Context) ([]byte, error) {
			tokens, err := s.tokens(ctx)
			if err != nil {
				return nil, err
			}
			ca, _ := tokens.Public(addon.EnvironmentCA)
			return []byte(ca), nil
		},
	})
	s.reports[c.Name] = append(s.reports[c.Name], ingressReport(c.Name, in))
	return []converge.Item{{Step: in.Step()}}, nil
}

// controllersOf reaches the pods of an ingress add-on.
type controllersOf struct {
	session          *Session
	addon, namespace string
}

const httpsPort = 443

// Controllers lists the pods that stay.
func (o controllersOf) Controllers(ctx context.Context) ([]ingress.Controller, error) {
	cluster, err := o.session.reachable(ctx)
	if err != nil {
		return nil, err
	}
	pods, err := cluster.Pods(ctx, o.namespace, addon.LabelName+"="+o.addon)
	if err != nil {
		return nil, err
	}
	all := make([]ingress.Controller, 0, len(pods))
	for _, p := range pods {
		if !p.Deleting {
			all = append(all, ingress.Controller{Name: p.Name, Ready: p.Ready})
		}
	}
	return all, nil
}

// Dial connects to the HTTPS port of a pod.
func (o controllersOf) Dial(ctx context.Context, pod string) (net.Conn, error) {
	return clusterDialer{o.session}.Dial(ctx, o.namespace, pod, httpsPort)
}

// List reads all objects of a kind.
func (o controllersOf) List(ctx context.Context, kind schema.GroupVersionKind) ([]*unstructured.Unstructured, error) {
	cluster, err := o.session.reachable(ctx)
	if err != nil {
		return nil, err
	}
	return cluster.List(ctx, kind)
}

// ingressReport says who answers, and until when with the certificate of today. What is claimed twice is named and makes
// nothing unhealthy: it is the owners' to settle.
func ingressReport(name string, in *ingress.Ingress) report {
	return func(ctx context.Context) []LayerStatus {
		status, err := in.Status(ctx)
		if err != nil {
			return []LayerStatus{failed(name, err)}
		}
		row := LayerStatus{Name: name, Healthy: status.Whole() && !status.Late}
		row.Summary = fmt.Sprintf("%d of %s answering", status.Answering, plural(status.Controllers, "controller"))
		if !status.Ends.IsZero() {
			row.Summary += ", certificate until " + status.Ends.UTC().Format(time.DateOnly)
		}
		details := status.Silent
		if warning := status.Warning(); warning != "" {
			details = append(details, warning)
		}
		for _, d := range status.Doubles {
			details = append(details, d.String())
		}
		row.Detail = strings.Join(details, "; ")
		return []LayerStatus{row}
	}
}
