// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"fmt"
	"path/filepath"
)

// layout is where things of one environment lie.
type layout struct{ root, environment string }

func (c Config) layout() layout { return layout{root: c.StateRoot, environment: c.Environment} }

func (l layout) dir() string { return filepath.Join(l.root, l.environment) }
func (l layout) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir()}, parts...)...)
}

func (l layout) reservation() string { return l.path("reservation.json") }
func (l layout) bin() string         { return l.path("bin") }
func (l layout) binary() string      { return l.path("bin", "clusterup") }
func (l layout) kubeconfig() string  { return l.path("cluster", "kubeconfig") }
func (l layout) ca() string          { return l.path("cluster", "ca.crt") }
func (l layout) booted() string      { return l.path("cluster", "booted.json") }
func (l layout) logs() string        { return l.path("logs") }
func (l layout) store() string       { return l.path(storeDir) }

// storeDir is the one folder that destroy leaves: only PurgeStore removes it.
const storeDir = "s3"

func (l layout) node(index int) nodeDir {
	return nodeDir(l.path("nodes", NodeName(l.environment, index)))
}

// nodeDir is the folder of one node. Its first process holds a lock on it for as
// long as it lives.
type nodeDir string

func (d nodeDir) path(parts ...string) string {
	return filepath.Join(append([]string{string(d)}, parts...)...)
}
func (d nodeDir) spec() string    { return d.path("node.json") }
func (d nodeDir) process() string { return d.path("process.json") }
func (d nodeDir) root() string    { return d.path("root") } // mount point of the node's root
func (d nodeDir) vars() string    { return d.path("var") }  // the node's /var

// cgroupHome holds the groups of all environments of this machine.
const cgroupHome = "/clusterup"

// cgroup is the group of an environment or of one node, in every hierarchy.
func (l layout) cgroup() string { return cgroupHome + "/" + l.environment }

func (l layout) nodeCgroup(index int) string {
	return l.cgroup() + "/" + NodeName(l.environment, index)
}

// alias marks every link of the environment, so that it can be told from
// others even when the state folder is gone.
func (l layout) alias() string { return "clusterup:" + l.environment }

func (l layout) String() string { return fmt.Sprintf("environment %s in %s", l.environment, l.root) }
