// SPDX-License-Identifier: Apache-2.0

// Package localcluster makes Kubernetes nodes out of namespaces of this Linux
// machine and runs upstream containerd, kubelet and kubeadm in them, together
// with the S3 server that a local environment keeps its data in.
//
// The app calls Preflight, Reserve, Observe and EnsureStore. Terraform's module
// terraform/local calls Main, through the hidden command `clusterup local`, to
// make the disks, to boot the nodes and to remove everything again. All state
// lies below one folder an environment; nothing else of the machine is touched
// but a bridge, its links and routes, one nft table, the cgroups below
// /clusterup and three kernel settings, and all of it is taken back.
package localcluster

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Command is the hidden first argument of clusterup that leads to Main.
const Command = "local"

// DefaultStateRoot is where the environments of this machine live.
const DefaultStateRoot = "/var/lib/clusterup"

// DefaultNodes is how many nodes an environment has when it does not say.
const DefaultNodes = 3

// MaxNodes is how many addresses and routes every node is prepared for.
const MaxNodes = 50

// Config names one local environment. Environment and Servers are needed to
// make it; Environment alone is enough to look at it and to remove it.
type Config struct {
	Environment string
	StateRoot   string // DefaultStateRoot when empty
	Servers     string // folder with bin/ and the image archives images-*.tar
	Nodes       int    // DefaultNodes when zero
	Subnet      string // an IPv4 /16; the first free one when empty
}

func (c Config) withDefaults() Config {
	if c.StateRoot == "" {
		c.StateRoot = DefaultStateRoot
	}
	if c.Nodes == 0 {
		c.Nodes = DefaultNodes
	}
	return c
}

// check refuses what would lead outside the state folder. The environment file
// is checked elsewhere; this guards the command line of the provisioners.
func (c Config) check() error {
	switch {
	case c.Environment == "" || strings.Trim(c.Environment, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
		strings.HasPrefix(c.Environment, "-") || len(c.Environment) > 50:
		return fmt.Errorf("environment name %q is not a DNS label of at most 50 characters", c.Environment)
	case !filepath.IsAbs(c.StateRoot):
		return fmt.Errorf("state folder %q is not an absolute path", c.StateRoot)
	case c.Nodes < 1 || c.Nodes > MaxNodes:
		return fmt.Errorf("%d nodes: a local environment has 1 to %d", c.Nodes, MaxNodes)
	}
	return nil
}

// NodeName is the host name of a node; they count from 1.
func NodeName(environment string, index int) string { return fmt.Sprintf("%s-%d", environment, index) }

// Observation is what a look at the machine shows, for Terraform's variable
// generation: it is the one of the last boot while everything that boot made
// is alive, and another one otherwise, so that Terraform boots again.
type Observation struct {
	Generation string
	Nodes      []NodeState
}

// NodeState says whether the first process of a node runs.
type NodeState struct {
	Name  string
	Alive bool
}

// Reservation is what an environment holds of the machine.
type Reservation struct {
	ID     string `json:"id"`     // made once; another one after the state folder was lost
	Subnet string `json:"subnet"` // "10.88.0.0/16"
	Bridge string `json:"bridge"` // at most 15 characters

	Binary     string `json:"-"` // the copy of clusterup that provisioners and nodes run
	Kubeconfig string `json:"-"` // where boot writes it, 0600
	Endpoint   string `json:"-"` // https://<node 1>:6443
}
