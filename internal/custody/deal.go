// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// NeedHolders says that something is sealed to others: the run cannot go on
// until enough of them come. The command ends with exit code 3.
type NeedHolders struct {
	What  string   // "2 more key shares"
	Names []string // those who can open it, sorted
}

func (e *NeedHolders) Error() string {
	return fmt.Sprintf("%s can only be opened by %s", e.What, strings.Join(e.Names, ", "))
}

// ExitCode is that of a run which cannot go on before somebody comes.
func (*NeedHolders) ExitCode() int { return 3 }

// Deal stores every share of the answer under its holder's name, reads each
// back, and records Stored. Those that an earlier try stored stay as they are.
func (e *Escrow) Deal(ctx context.Context, j Journal) (Journal, error) {
	a, err := e.answer(ctx, j)
	if err != nil {
		return j, err
	}
	group, gctx := errgroup.WithContext(ctx)
	for _, s := range a.Shares {
		group.Go(func() error {
			key := shareKey(j, s.Holder, s.N)
			if _, err := e.Bucket.PutNew(gctx, key, s.Sealed); err != nil && !errors.Is(err, store.ErrExists) {
				return fmt.Errorf("storing %s: %w", key, err)
			}
			return e.proven(gctx, key, s.Sealed)
		})
	}
	if err := group.Wait(); err != nil {
		return j, err
	}
	return e.Record(ctx, j, Stored)
}

// Dealt counts the stored shares of each holder.
func (e *Escrow) Dealt(ctx context.Context, j Journal) (map[string]int, error) {
	places, err := e.places(ctx, j)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, p := range places {
		counts[p.holder]++
	}
	return counts, nil
}

// Open opens as many shares as the threshold asks for. When this run's
// identities cannot, the error is a *NeedHolders. The caller wipes the shares.
func (e *Escrow) Open(ctx context.Context, j Journal) ([]secret.Value, error) {
	places, err := e.places(ctx, j)
	if err != nil {
		return nil, err
	}
	var shares []secret.Value
	var others []string
	wipe := func() {
		for _, s := range shares {
			s.Wipe()
		}
	}
	for _, p := range places {
		if len(shares) == j.Threshold {
			break
		}
		share, err := e.openShare(ctx, p)
		switch {
		case errors.Is(err, secret.ErrNoIdentity):
			others = append(others, p.holder)
		case err != nil:
			wipe()
			return nil, err
		default:
			shares = append(shares, share)
		}
	}
	if missing := j.Threshold - len(shares); missing > 0 {
		wipe()
		if len(others) < missing {
			return nil, fmt.Errorf("the bucket holds %d key shares of the init %s, and %d are needed", len(places), j.Nonce, j.Threshold)
		}
		slices.Sort(others)
		return nil, &NeedHolders{What: fmt.Sprintf("%d more of the %d key shares needed", missing, j.Threshold), Names: slices.Compact(others)}
	}
	return shares, nil
}

func (e *Escrow) openShare(ctx context.Context, p place) (secret.Value, error) {
	sealed, _, err := e.Bucket.Get(ctx, p.key)
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading %s: %w", p.key, err)
	}
	text, err := secret.Open(sealed, e.Identities)
	if err != nil {
		return secret.Value{}, fmt.Errorf("opening %s: %w", p.key, err)
	}
	defer text.Wipe()
	enc := bytes.TrimSpace(text.Reveal())
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(enc)))
	n, err := base64.StdEncoding.Decode(raw, enc)
	if err != nil {
		clear(raw)
		return secret.Value{}, fmt.Errorf("opening %s: it does not hold a key share", p.key)
	}
	return secret.NewValue(raw[:n]), nil
}

// place is where a stored share lies.
type place struct{ key, holder string }

func (e *Escrow) places(ctx context.Context, j Journal) ([]place, error) {
	prefix := keysPrefix + j.Nonce + "/"
	entries, err := e.Bucket.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("listing the key shares: %w", err)
	}
	var places []place
	for _, entry := range entries {
		name, ok := strings.CutSuffix(strings.TrimPrefix(entry.Key, prefix), ".age")
		cut := strings.LastIndexByte(name, '-')
		if !ok || cut < 1 {
			continue
		}
		if _, err := strconv.Atoi(name[cut+1:]); err != nil {
			continue
		}
		places = append(places, place{key: entry.Key, holder: name[:cut]})
	}
	return places, nil
}

func shareKey(j Journal, holder string, n int) string {
	return fmt.Sprintf("%s%s/%s-%d.age", keysPrefix, j.Nonce, holder, n)
}
