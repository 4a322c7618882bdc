// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/hint"
	"golang.org/x/sync/errgroup"
)

// booted is what the last boot that came to its end has made.
type booted struct {
	Generation string `json:"generation"`
	Nodes      int    `json:"nodes"`
	Images     string `json:"images"` // key of the images that every node has
}

// boot makes the environment's nodes run: it makes those that are not there,
// starts the dead ones with the data that they had, makes one cluster of all,
// and ends when every node is ready. Killed at any point and run again, it goes
// on.
func boot(ctx context.Context, c Config, generation string, out io.Writer) error {
	start := time.Now()
	r, err := Reserve(ctx, c)
	if err != nil {
		return err
	}
	n, err := parseNetwork(r.Subnet)
	if err != nil {
		return err
	}
	c.Subnet = r.Subnet
	held, err := lock(ctx, c.layout().dir())
	if err != nil {
		return err
	}
	defer held.Close()
	set, err := readServers(c.Servers)
	if err != nil {
		return err
	}
	var was booted
	if err := readJSON(c.layout().booted(), &was); err != nil {
		return err
	}
	if was.Nodes > c.Nodes {
		return tooFewNodes(c, was.Nodes)
	}
	b := &booting{c: c, n: n, set: set, was: was, mtu: linkMTU(), start: start, out: out}
	if err := b.run(ctx); err != nil {
		return err
	}
	b.say("%d nodes ready", c.Nodes)
	return writeJSON(c.layout().booted(), booted{Generation: generation, Nodes: c.Nodes, Images: filepath.Base(b.unpacked)}, 0o600)
}

func tooFewNodes(c Config, have int) error {
	err := fmt.Errorf("environment %s has %d nodes, and %d are asked for", c.Environment, have, c.Nodes)
	return hint.With(err, "a node can't be taken away, because it holds volumes: ask for %d, or destroy the environment first", have)
}

// booting is one boot on its way.
type booting struct {
	c        Config
	n        network
	set      serverSet
	was      booted
	mtu      int
	ca       authority
	unpacked string
	self     selfImage
	start    time.Time

	mu  sync.Mutex
	out io.Writer
}

func (b *booting) say(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(b.out, "%5.1fs %s\n", time.Since(b.start).Seconds(), fmt.Sprintf(format, args...))
}

func (b *booting) run(ctx context.Context) error {
	if err := b.prepare(ctx); err != nil {
		return err
	}
	b.say("images, network and programs are there")
	pids, started := make([]int, b.c.Nodes+1), make([]bool, b.c.Nodes+1)
	group, running := errgroup.WithContext(ctx)
	for i := 1; i <= b.c.Nodes; i++ {
		group.Go(func() (err error) {
			pids[i], started[i], err = b.ensureNode(running, i)
			if err != nil {
				return err
			}
			group.Go(func() error { return b.placeSelf(running, i, pids[i]) }) // nothing of the control plane waits for it
			if i == 1 {
				return b.ensureCluster(running, pids[1])
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return b.ready(ctx, pids[1], started)
}

// prepare makes what all nodes share.
func (b *booting) prepare(ctx context.Context) error {
	l := b.c.layout()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		all, err := hierarchies()
		if err != nil {
			return err
		}
		if err := makeCgroup(all, l.cgroup()); err != nil {
			return err
		}
		return raiseSettings(ctx)
	})
	group.Go(func() error { return hostNetwork(ctx, b.c, b.n, b.c.Nodes) })
	group.Go(func() (err error) {
		b.unpacked, err = unpackedImages(ctx, b.c)
		return err
	})
	group.Go(func() error {
		for _, program := range nodePrograms() {
			real, err := filepath.EvalSymlinks(filepath.Join(b.c.Servers, "bin", program))
			if err != nil {
				return err
			}
			if err := place(real, filepath.Join(l.bin(), program), 0o755, true); err != nil {
				return fmt.Errorf("take over the server %s: %w", program, err)
			}
		}
		return nil
	})
	group.Go(func() (err error) {
		b.self, err = describeSelf(l.binary())
		return err
	})
	group.Go(func() (err error) {
		pki := l.node(1).path("etc", "kubernetes", "pki")
		b.ca, err = ensureAuthority(filepath.Join(pki, "ca.crt"), filepath.Join(pki, "ca.key"))
		return err
	})
	return group.Wait()
}
