// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// place is one share of one holder, and which objects there are of it. All of
// them begin with the same name; what follows its first dot says what it is.
type place struct {
	nonce  string
	holder string
	n      int // from 1, for each holder

	sealed    bool
	pgp       bool // sealed by Vault, to a PGP key
	receipt   bool
	confirmed bool
	delivered []string // the ways in which it was delivered, sorted
}

// What follows a place's name.
const (
	sealedSuffix    = ".age"
	pgpSuffix       = ".gpg"
	receiptSuffix   = ".receipt.json"
	confirmedSuffix = ".confirmed.json"
	deliveredSuffix = ".delivered-" // and the way, and .json
)

// String is "alice-1".
func (p place) String() string { return fmt.Sprintf("%s-%d", p.holder, p.n) }

func (p place) key(suffix string) string { return keysPrefix + p.nonce + "/" + p.String() + suffix }

// file is where the sealed share is.
func (p place) file() string {
	if p.pgp {
		return p.key(pgpSuffix)
	}
	return p.key(sealedSuffix)
}

func (p place) deliveredKey(way string) string { return p.key(deliveredSuffix + way + ".json") }

// listed finds every place of an init of which there is an object, by holder and number.
func (e *Escrow) listed(ctx context.Context, j Journal) ([]*place, error) {
	prefix := keysPrefix + j.Nonce + "/"
	entries, err := e.Bucket.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("listing the key shares: %w", err)
	}
	found := map[string]*place{}
	for _, entry := range entries {
		name, _, ok := strings.Cut(strings.TrimPrefix(entry.Key, prefix), ".")
		cut := strings.LastIndexByte(name, '-')
		if !ok || cut < 1 {
			continue
		}
		n, err := strconv.Atoi(name[cut+1:])
		if err != nil || n < 1 {
			continue
		}
		p := found[name]
		if p == nil {
			p = &place{nonce: j.Nonce, holder: name[:cut], n: n}
			found[name] = p
		}
		p.see(entry.Key[len(prefix)+len(name):])
	}
	places := make([]*place, 0, len(found))
	for _, p := range found {
		places = append(places, p)
	}
	slices.SortFunc(places, byHolder)
	return places, nil
}

func byHolder(a, b *place) int {
	return cmp.Or(strings.Compare(a.holder, b.holder), cmp.Compare(a.n, b.n))
}

// see notes an object; what is not known is left alone.
func (p *place) see(suffix string) {
	switch suffix {
	case sealedSuffix:
		p.sealed = true
	case pgpSuffix:
		p.sealed, p.pgp = true, true
	case receiptSuffix:
		p.receipt = true
	case confirmedSuffix:
		p.confirmed = true
	}
	if way, ok := strings.CutPrefix(suffix, deliveredSuffix); ok {
		p.delivered = append(p.delivered, strings.TrimSuffix(way, ".json"))
	}
}

// places are those whose sealed share is in the bucket.
func (e *Escrow) places(ctx context.Context, j Journal) ([]*place, error) {
	all, err := e.listed(ctx, j)
	return slices.DeleteFunc(all, func(p *place) bool { return !p.sealed }), err
}
