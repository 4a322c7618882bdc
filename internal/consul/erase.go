// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"
)

// ErrMoved says that a folder of keys is not what it was when it was looked at.
var ErrMoved = errors.New("other keys are there than were looked at")

// maxErased is how many keys one transaction of Consul takes.
const maxErased = 64

// Keys lists the keys below a folder ("vault/"), without its name.
func (c *Cluster) Keys(ctx context.Context, folder string) (keys []string, err error) {
	s, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, func(ctx context.Context, server *api.Client) error {
		all, _, err := server.KV().Keys(folder, "", (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
		keys = all
		return err
	})
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], folder)
	}
	return keys, err
}

// Erase deletes the keys below a folder, all of them or none, if they are exactly
// those, none is written to meanwhile, and none of the absent ones is made. The error
// is ErrMoved otherwise.
func (c *Cluster) Erase(ctx context.Context, folder string, keys []string, absent ...string) error {
	s, err := c.session(ctx)
	if err != nil {
		return err
	}
	if len(keys)+len(absent) > maxErased {
		return fmt.Errorf("%d keys are more than the %d that can be deleted at once", len(keys), maxErased)
	}
	var pairs api.KVPairs
	err = s.read(ctx, func(ctx context.Context, server *api.Client) (err error) {
		pairs, _, err = server.KV().List(folder, (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
		return err
	})
	if err != nil {
		return err
	}
	var there []string
	var ops api.TxnOps
	for _, p := range pairs {
		there = append(there, strings.TrimPrefix(p.Key, folder))
		ops = append(ops, &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVDeleteCAS, Key: p.Key, Index: p.ModifyIndex}})
	}
	if want := slices.Sorted(slices.Values(keys)); !slices.Equal(want, slices.Sorted(slices.Values(there))) {
		return ErrMoved
	}
	if len(ops) == 0 {
		return nil
	}
	for _, key := range absent { // before they could be deleted
		ops = slices.Insert(ops, 0, &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVCheckNotExists, Key: folder + key}})
	}
	return s.write(ctx, func(ctx context.Context, server *api.Client) error {
		done, answer, _, err := server.Txn().Txn(ops, (&api.QueryOptions{}).WithContext(ctx))
		switch {
		case err != nil:
			return err
		case !done:
			return fmt.Errorf("%w: %d of them changed", ErrMoved, len(answer.Errors))
		}
		return nil
	})
}
