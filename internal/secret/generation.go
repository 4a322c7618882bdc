// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// Generation is one of the generations of a token, as it is stored.
type Generation struct {
	Number int // from 1
	Secret Value
	Public string
}

const prefix = "tokens/"

var keyPattern = regexp.MustCompile(`^tokens/([a-z0-9-]+/[a-z0-9-]+)/(\d{6})\.(age|retired)$`)

func keyOf(id string, number int) string { return fmt.Sprintf("%s%s/%06d.age", prefix, id, number) }

func retiredKey(id string, number int) string {
	return fmt.Sprintf("%s%s/%06d.retired", prefix, id, number)
}

// shelf are the generations of one token that the bucket lists.
type shelf struct {
	numbers []int // ascending
	retired []int
}

// newest is 0 when there is none.
func (s shelf) newest() int {
	if len(s.numbers) == 0 {
		return 0
	}
	return s.numbers[len(s.numbers)-1]
}

// older are those before the newest that are not retired, newest first.
func (s shelf) older() []int {
	var all []int
	for _, n := range slices.Backward(s.numbers) {
		if n != s.newest() && !slices.Contains(s.retired, n) {
			all = append(all, n)
		}
	}
	return all
}

// stock lists the generations of every token by its ID. It makes one request.
func (k *Keeper) stock(ctx context.Context) (map[string]shelf, error) {
	keys, err := k.Bucket.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("listing the tokens: %w", err)
	}
	slices.Sort(keys)
	stock := make(map[string]shelf)
	for _, key := range keys {
		m := keyPattern.FindStringSubmatch(key)
		if m == nil {
			continue
		}
		number, err := strconv.Atoi(m[2])
		if err != nil {
			continue
		}
		s := stock[m[1]]
		if m[3] == "retired" {
			s.retired = append(s.retired, number)
		} else {
			s.numbers = append(s.numbers, number)
		}
		stock[m[1]] = s
	}
	return stock, nil
}

// trusted reads the newest generation, and of a ca the certificates of the older
// ones that are still trusted, too.
func (k *Keeper) trusted(ctx context.Context, s Spec, on shelf) (token, error) {
	t, err := k.read(ctx, keyOf(s.ID(), on.newest()), s)
	if err != nil {
		return token{}, err
	}
	t.number, t.older = on.newest(), on.older()
	if s.Kind != CA {
		return t, nil
	}
	for _, number := range t.older {
		old, err := k.read(ctx, keyOf(s.ID(), number), s)
		if err != nil {
			return token{}, err
		}
		old.secret.Wipe()
		t.public += old.public
	}
	return t, nil
}

// Older reads the generations before the newest one that are not retired, newest
// first. What they opened may still exist: a rotation that was cut off, a backup
// that was restored.
func (k *Keeper) Older(ctx context.Context, s Spec) ([]Generation, error) {
	stock, err := k.stock(ctx)
	if err != nil {
		return nil, err
	}
	numbers := stock[s.ID()].older()
	all := make([]Generation, len(numbers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i, number := range numbers {
		group.Go(func() error {
			t, err := k.read(ctx, keyOf(s.ID(), number), s)
			all[i] = Generation{Number: number, Secret: t.secret, Public: t.public}
			return err
		})
	}
	return all, group.Wait()
}

// Renew makes one more generation of each token that is there; from then on it is
// the token. A certificate is issued by the newest generation of its ca. Two runs
// at the same time make the same one generation. It needs the run lock: a token
// that is renewed has to be brought to where it is used.
func (k *Keeper) Renew(ctx context.Context, specs ...Spec) error {
	if err := k.canOpenOwn(); err != nil {
		return err
	}
	stock, err := k.stock(ctx)
	if err != nil {
		return err
	}
	var certs []Spec
	for _, s := range specs {
		if stock[s.ID()].newest() == 0 {
			return fmt.Errorf("token %s: there is none to renew", s.ID())
		}
		if s.Kind == Cert {
			certs = append(certs, s)
		}
	}
	issuers, err := k.readBack(ctx, certs)
	if err != nil {
		return err
	}
	return k.makeAll(ctx, specs, issuers, func(s Spec) int { return stock[s.ID()].newest() + 1 })
}

// Retire takes the trust from all generations of a token but the newest. It must
// not be done before nothing that they vouch for is in use.
func (k *Keeper) Retire(ctx context.Context, id string) error {
	stock, err := k.stock(ctx)
	if err != nil {
		return err
	}
	for _, number := range stock[id].older() {
		err := k.Bucket.PutNew(ctx, retiredKey(id, number), []byte("{}\n"))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("retiring generation %d of %s: %w", number, id, err)
		}
	}
	return nil
}

// Issuer is the generation of a ca that issued the newest certificate of a cert
// that names it; 0 when it is none that is trusted.
func (s *Set) Issuer(id string) int {
	leaf, ca := s.tokens[id], s.tokens[s.tokens[id].spec.CA]
	cert, err := decodeCertificate(leaf.public)
	if err != nil {
		return 0
	}
	authorities, err := decodeCertificates(ca.public)
	if err != nil {
		return 0
	}
	numbers := append([]int{ca.number}, ca.older...)
	if at := issuer(cert, authorities); at >= 0 && at < len(numbers) {
		return numbers[at]
	}
	return 0
}
