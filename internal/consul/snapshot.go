// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/raftsnapshot"
)

// MarkKey is the key that is written before a snapshot is taken. Its value is
// another one each time, so that a Consul which holds it is the one of that
// snapshot.
const MarkKey = "clusterup/snapshot"

const (
	transferTimeout = 10 * time.Minute // for all bytes of a snapshot
)

// Taken is what is known of a snapshot.
type Taken struct {
	raftsnapshot.Archive
	Datacenter string
	Version    string // of the servers
	Proof      Proof
}

// Snapshot marks Consul and writes a snapshot of it to w, from the leader and
// checked on its way. A second snapshot at the same time, whose mark would be in
// this one, makes it fail.
func (c *Cluster) Snapshot(ctx context.Context, w io.Writer) (Taken, error) {
	s, err := c.session(ctx)
	if err != nil {
		return Taken{}, err
	}
	mark := rand.Text()
	if err := s.setMark(ctx, mark); err != nil {
		return Taken{}, fmt.Errorf("write the key %s: %w", MarkKey, err)
	}
	before, err := s.facts(ctx)
	if err != nil {
		return Taken{}, fmt.Errorf("look at what Consul holds: %w", err)
	}
	taken := Taken{Datacenter: c.cfg.Datacenter, Version: before.version}
	if taken.Archive, err = s.save(ctx, w); err != nil {
		return Taken{}, fmt.Errorf("take a snapshot: %w", err)
	}
	after, err := s.facts(ctx)
	if err != nil {
		return Taken{}, fmt.Errorf("look at what Consul holds: %w", err)
	}
	if after.mark != mark {
		return Taken{}, hint.With(errors.New("another snapshot was taken at the same time"), "take it again")
	}
	taken.Proof = prove(before, after)
	return taken, nil
}

func (s *session) setMark(ctx context.Context, mark string) error {
	return s.write(ctx, func(ctx context.Context, server *api.Client) error {
		_, err := server.KV().Put(&api.KVPair{Key: MarkKey, Value: []byte(mark)}, (&api.WriteOptions{}).WithContext(ctx))
		return err
	})
}

// save copies a snapshot to w and checks it while it passes. What w or the check
// says is no fault of the server's.
func (s *session) save(ctx context.Context, w io.Writer) (a raftsnapshot.Archive, err error) {
	to := &keeping{to: w}
	err = s.call(ctx, transferTimeout, func(ctx context.Context, server *api.Client) error {
		body, _, err := server.Snapshot().Save((&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }() // it was only read
		a, err = raftsnapshot.Copy(to, body)
		if to.err == nil && errors.Is(err, raftsnapshot.ErrDamaged) {
			to.err = err
		}
		if to.err != nil {
			return nil
		}
		return err
	})
	return a, errors.Join(err, to.err)
}

// keeping remembers why it could not be written to.
type keeping struct {
	to  io.Writer
	err error
}

func (k *keeping) Write(p []byte) (n int, err error) {
	n, k.err = k.to.Write(p)
	return n, k.err
}

// Restore gives Consul the state of a snapshot in the place of its own: keys,
// services, ACLs, Connect's authority, all at once. The caller has checked the
// archive. When the answer is lost it is unknown whether Consul acted; doing it
// again is right.
func (c *Cluster) Restore(ctx context.Context, archive io.Reader, datacenter string) error {
	if datacenter != c.cfg.Datacenter {
		return fmt.Errorf("the snapshot is of datacenter %s, and this Consul is %s", datacenter, c.cfg.Datacenter)
	}
	s, err := c.session(ctx)
	if err != nil {
		return err
	}
	err = s.call(ctx, transferTimeout, func(ctx context.Context, server *api.Client) error {
		return server.Snapshot().Restore((&api.WriteOptions{}).WithContext(ctx), archive)
	})
	if err != nil {
		return fmt.Errorf("restore the snapshot: %w", err)
	}
	return nil
}
