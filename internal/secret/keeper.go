// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// Bucket is where tokens are kept. The errors are those of io/fs, so that this
// package needs no other.
type Bucket interface {
	// Get reads an object; absent is an error that wraps fs.ErrNotExist.
	Get(ctx context.Context, key string) ([]byte, error)
	// PutNew creates an object and never overwrites one: that error wraps fs.ErrExist.
	PutNew(ctx context.Context, key string, data []byte) error
	// List gives all keys with a prefix.
	List(ctx context.Context, prefix string) ([]string, error)
}

// Keeper makes tokens once and keeps them sealed, under
// tokens/<addon>/<name>/<generation>.age. The newest generation is the token;
// older ones stay, because what was made with them may have to be read, and an
// authority is trusted until <generation>.retired stands beside it.
type Keeper struct {
	Bucket     Bucket
	Recipients []Recipient // who may open new tokens
	Identities []Identity  // what this run opens with
}

// Requests in flight.
const inFlight = 8

// Missing are the specs whose token is not stored. It makes one request.
func (k *Keeper) Missing(ctx context.Context, specs []Spec) ([]Spec, error) {
	stock, err := k.stock(ctx)
	if err != nil {
		return nil, err
	}
	var missing []Spec
	for _, s := range specs {
		if stock[s.ID()].newest() == 0 {
			missing = append(missing, s)
		}
	}
	return missing, nil
}

// Make makes the tokens that are not stored and keeps those that are, also when
// another run makes the same ones at the same time. A certificate is issued only
// by a CA that was read back, so that it fits the CA that stays.
func (k *Keeper) Make(ctx context.Context, specs []Spec) error {
	for _, s := range specs {
		if err := s.Validate(); err != nil {
			return err
		}
	}
	missing, err := k.Missing(ctx, specs)
	if err != nil || len(missing) == 0 {
		return err
	}
	if err := k.canOpenOwn(); err != nil {
		return err
	}
	certs := slices.DeleteFunc(slices.Clone(missing), func(s Spec) bool { return s.Kind != Cert })
	others := slices.DeleteFunc(missing, func(s Spec) bool { return s.Kind == Cert })
	first := func(Spec) int { return 1 }
	if err := k.makeAll(ctx, others, nil, first); err != nil || len(certs) == 0 {
		return err
	}
	issuers, err := k.readBack(ctx, certs)
	if err != nil {
		return err
	}
	return k.makeAll(ctx, certs, issuers, first)
}

// makeAll makes the generation of each that number says.
func (k *Keeper) makeAll(ctx context.Context, specs []Spec, issuers map[string]*authority, number func(Spec) int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for _, s := range specs {
		group.Go(func() error {
			t, err := generate(s, issuers[s.CA], time.Now())
			if err != nil {
				return err
			}
			defer t.secret.Wipe()
			sealed, err := t.seal(k.Recipients)
			if err != nil {
				return fmt.Errorf("token %s: %w", s.ID(), err)
			}
			err = k.Bucket.PutNew(ctx, keyOf(s.ID(), number(s)), sealed)
			if err != nil && !errors.Is(err, fs.ErrExist) { // made by another meanwhile: theirs is the token
				return fmt.Errorf("storing token %s: %w", s.ID(), err)
			}
			return nil
		})
	}
	return group.Wait()
}

// readBack gives the CAs that issue certs, as they are stored: their newest
// generations.
func (k *Keeper) readBack(ctx context.Context, certs []Spec) (map[string]*authority, error) {
	stock, err := k.stock(ctx)
	if err != nil {
		return nil, err
	}
	issuers := make(map[string]*authority)
	for _, s := range certs {
		if issuers[s.CA] != nil {
			continue
		}
		addon, name, _ := strings.Cut(s.CA, "/")
		number := stock[s.CA].newest()
		if number == 0 {
			return nil, fmt.Errorf("token %s: there is no token %s to issue it", s.ID(), s.CA)
		}
		t, err := k.read(ctx, keyOf(s.CA, number), Spec{Addon: addon, Name: name, Kind: CA})
		if err != nil {
			return nil, err
		}
		if issuers[s.CA], err = newAuthority(t); err != nil {
			return nil, fmt.Errorf("token %s: %w", s.CA, err)
		}
	}
	return issuers, nil
}

// Load reads tokens. Some missing is an error that wraps converge.ErrNotYet.
func (k *Keeper) Load(ctx context.Context, specs []Spec) (*Set, error) {
	stock, err := k.stock(ctx)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, s := range specs {
		if stock[s.ID()].newest() == 0 {
			missing = append(missing, s.ID())
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("tokens %s: %w", strings.Join(missing, ", "), converge.ErrNotYet)
	}
	tokens := make([]token, len(specs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i, s := range specs {
		group.Go(func() (err error) {
			tokens[i], err = k.trusted(ctx, s, stock[s.ID()])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	set := &Set{tokens: make(map[string]token, len(specs))}
	for _, t := range tokens {
		set.tokens[t.spec.ID()] = t
	}
	return set, set.checkCertificates()
}

// canOpenOwn refuses to make tokens that this run could not read afterwards.
func (k *Keeper) canOpenOwn() error {
	probe, err := Seal([]byte("probe"), k.Recipients)
	if err != nil {
		return err
	}
	if _, err := Open(probe, k.Identities); err != nil {
		return hint.With(errors.New("whoever runs is not among the operators, and could not open the tokens"),
			"name the private key of one of the operators with --identity FILE, or add yours to spec.operators")
	}
	return nil
}
