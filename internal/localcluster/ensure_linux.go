// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"clusterup.dev/clusterup/internal/hint"
)

// ensureNode starts the node if it is dead or cut off.
func (b *booting) ensureNode(ctx context.Context, index int) (pid int, started bool, err error) {
	d := b.c.layout().node(index)
	pid, err = livingNode(d)
	if err != nil {
		return 0, false, err
	}
	name := NodeName(b.c.Environment, index)
	if pid != 0 && networkStands(b.n, []int{index}) {
		if err := run(ctx, "", "ip", "link", "set", b.n.link(index), "master", b.n.bridge(), "up"); err != nil {
			return 0, false, err
		}
		return pid, false, b.freshenImages(ctx, pid)
	}
	if err := killNode(ctx, d); err != nil {
		return 0, false, err
	}
	f := newFacts(b.c.layout(), b.n, b.set, index, b.c.Nodes, b.mtu, cniPlugins())
	if err := prepareNode(ctx, b.c, f, index, b.ca, b.unpacked); err != nil {
		return 0, false, fmt.Errorf("prepare node %s: %w", name, err)
	}
	if pid, err = startNode(ctx, b.c, b.n, index, b.mtu); err != nil {
		return 0, false, err
	}
	if err := b.awaitContainerd(ctx, name, index, pid); err != nil {
		return 0, false, err
	}
	b.say("node %s started", name)
	return pid, true, b.freshenImages(ctx, pid)
}

// awaitContainerd ends early when the node dies.
func (b *booting) awaitContainerd(ctx context.Context, name string, index, pid int) error {
	for since := time.Now(); !listens(ctx, "unix", inRoot(pid, containerdSocket)); {
		if err := pause(ctx, lookAgain); err != nil {
			return err
		}
		alive, err := locked(string(b.c.layout().node(index)))
		if err != nil {
			return err
		}
		if late := time.Since(since); late > 30*time.Second || (!alive && late > time.Second) {
			log := filepath.Join(b.c.layout().logs(), name)
			text, _ := os.ReadFile(log + ".log")
			return hint.With(fmt.Errorf("node %s does not come up%s", name, tail(string(text), 2)), "its logs are %s*.log", log)
		}
	}
	return nil
}

// freshenImages gives a node that was unpacked from other archives those of now.
func (b *booting) freshenImages(ctx context.Context, pid int) error {
	if b.was.Images == "" || b.was.Images == filepath.Base(b.unpacked) {
		return nil
	}
	archives, err := imageArchives(b.c.Servers)
	if err != nil {
		return err
	}
	for _, a := range archives {
		f, err := os.Open(a)
		if err != nil {
			return err
		}
		cmd := inNode(ctx, pid, "ctr", "--namespace", "k8s.io", "images", "import", "-")
		cmd.Stdin = f
		text, err := cmd.CombinedOutput()
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("import %s: %w%s", filepath.Base(a), err, tail(string(text), 3))
		}
	}
	return nil
}

// ensureCluster lets kubeadm make the control plane, once: the kubeconfig is
// the last thing that is written.
func (b *booting) ensureCluster(ctx context.Context, pid int) error {
	l := b.c.layout()
	if exists(l.kubeconfig()) {
		return nil
	}
	if err := b.kubeadm(ctx, pid); err != nil {
		return err
	}
	b.say("the control plane answers")
	if err := writeFile(l.ca(), b.ca.certPEM, 0o644); err != nil {
		return err
	}
	admin, err := os.ReadFile(l.node(1).path("etc", "kubernetes", "admin.conf"))
	if err != nil {
		return err
	}
	return writeFile(l.kubeconfig(), admin, 0o600)
}
