// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// Courier takes sealed shares to their holders, in one way besides the bucket.
type Courier interface {
	// Way names it: "mail", "folder". Lower-case letters.
	Way() string
	// Address is where this way reaches a holder; "" when it does not.
	Address(holder string) string
	// Deliver brings files to a holder, all or none. A file's name is
	// "<init>/<holder>-<n>.age", or .gpg. It may be called again for the same files.
	Deliver(ctx context.Context, holder string, files []File) error
}

// File is a sealed share on its way.
type File struct {
	Name   string
	Sealed []byte
}

// Delivery is one way in which a sealed share was sent to its holder, as
// keys/<nonce>/<holder>-<n>.delivered-<way>.json keeps it.
type Delivery struct {
	Way string    `json:"way"` // "mail", "folder"
	To  string    `json:"to"`  // the address, the folder
	At  time.Time `json:"at"`
}

// Errand is what one courier has to bring to one holder.
type Errand struct {
	Holder  string
	Address string
	Way     string

	courier Courier
	places  []*place
}

// Shares is how many shares are brought.
func (r Errand) Shares() int { return len(r.places) }

// Errands lists what was not delivered yet, by holder. What a holder has no
// address for is left out.
func (e *Escrow) Errands(ctx context.Context, j Journal, couriers []Courier) ([]Errand, error) {
	places, err := e.places(ctx, j)
	if err != nil {
		return nil, err
	}
	var errands []Errand
	for _, p := range places {
		for _, c := range couriers {
			to := c.Address(p.holder)
			if to == "" || slices.Contains(p.delivered, c.Way()) {
				continue
			}
			at := slices.IndexFunc(errands, func(r Errand) bool { return r.Holder == p.holder && r.Way == c.Way() })
			if at < 0 {
				at, errands = len(errands), append(errands, Errand{Holder: p.holder, Address: to, Way: c.Way(), courier: c})
			}
			errands[at].places = append(errands[at].places, p)
		}
	}
	return errands, nil
}

// Run delivers and records it. A run that ends between the two delivers again:
// what is sent is sealed, so that twice is no harm.
func (e *Escrow) Run(ctx context.Context, r Errand) error {
	var files []File
	for _, p := range r.places {
		key := p.file()
		sealed, _, err := e.Bucket.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("reading %s: %w", key, err)
		}
		if is := bytes.HasPrefix(sealed, []byte(sealedHead)) || p.pgp && secret.IsPGPMessage(sealed); !is {
			return fmt.Errorf("%s is no sealed file, and nothing else is sent", key)
		}
		files = append(files, File{Name: strings.TrimPrefix(key, keysPrefix), Sealed: sealed})
	}
	if err := r.courier.Deliver(ctx, r.Holder, files); err != nil {
		return fmt.Errorf("sending %s their key shares by %s: %w", r.Holder, r.Way, err)
	}
	for _, p := range r.places {
		d := Delivery{Way: r.Way, To: r.Address, At: time.Now().UTC().Truncate(time.Second)}
		if err := e.putJSON(ctx, p.deliveredKey(r.Way), d); err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return nil
}
