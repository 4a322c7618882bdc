// SPDX-License-Identifier: Apache-2.0

// Package coredns sends the names of one domain from a cluster's CoreDNS to a
// Service: it keeps a block of its own in the Corefile, and asks every CoreDNS
// whether it answers. It knows nothing of Kubernetes but names.
package coredns

import (
	"context"
	"net"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

// Cluster is what is needed of Kubernetes. Before there is one, every method
// answers converge.ErrNotYet.
type Cluster interface {
	// Address is the first cluster IP of the Service; "" while there is none.
	Address(ctx context.Context) (string, error)
	// Corefile reads the Corefile. It answers fs.ErrNotExist when the object that
	// should hold one is not there, or holds none.
	Corefile(ctx context.Context) (File, error)
	// Replace writes the text in the place of was, and answers
	// converge.ErrStale when somebody else has written since.
	Replace(ctx context.Context, was File, text string) error
	// Servers names the pods of CoreDNS that run and are not about to go.
	Servers(ctx context.Context) ([]string, error)
	// Dial connects to the DNS port of one of them, over TCP.
	Dial(ctx context.Context, pod string) (net.Conn, error)
}

// File is a Corefile as it was read.
type File struct {
	Text    string
	Version string    // as the cluster counts them
	Written time.Time // when clusterup wrote it last; zero if it never did
}

// Config says which names go where.
type Config struct {
	Cluster     Cluster
	Step        string // name of the step: "consul/dns"
	Environment string // named in the block
	Domain      string // "consul": the block is for it and all below it
	Object      string // what holds the Corefile, for people: "ConfigMap kube-system/coredns"
	Service     string // where the names go, for people: "Service consul/consul-dns"
	Probe       string // a name of the domain that has an address: "consul.service.consul"
	Wanted      bool   // false: the block is taken out
	Hint        string // what to do where there is no Corefile
}

// DNS is one domain in one cluster's CoreDNS.
type DNS struct{ Config }

// New makes no request.
func New(c Config) *DNS { return &DNS{c} }

// Step keeps the block in the Corefile.
func (d *DNS) Step() converge.Step { return step{d} }
