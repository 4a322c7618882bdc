// SPDX-License-Identifier: Apache-2.0

package custody

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	"clusterup.dev/clusterup/internal/secret"
)

// Intend records that an init with these holders is about to be sent, and proves
// that what init answers could be kept: the bucket takes, gives back and
// deletes, every holder can be sealed to, and this run can open what is sealed
// to it. An intent of the same deal that got nowhere is taken up again under its
// own nonce.
func (e *Escrow) Intend(ctx context.Context, was Journal, holders []Holder, threshold int) (Journal, error) {
	shares, keys := make(map[string]int, len(holders)), make(map[string]string, len(holders))
	for _, h := range holders {
		shares[h.Name] += h.Shares
		keys[h.Name] = h.Key()
	}
	j := was
	again := was.State == Intent && !was.Answer && was.Threshold == threshold &&
		was.Runner == e.Runner.Name && was.Throwaway == throwaway(holders) && maps.Equal(was.Shares, shares) && maps.Equal(was.Keys, keys)
	if !again {
		var err error
		j = Journal{Nonce: newNonce(time.Now(), was.Nonce), Threshold: threshold, Shares: shares, Keys: keys, Runner: e.Runner.Name, Throwaway: throwaway(holders)}
		if j, err = e.add(ctx, j, record{State: Intent, Threshold: threshold, Shares: shares, Keys: keys, Throwaway: j.Throwaway}); err != nil {
			return was, err
		}
	}
	if err := e.preflight(ctx, j, holders); err != nil {
		return was, fmt.Errorf("before the init: %w", err)
	}
	return j, nil
}

// preflight rehearses with random bytes what will be done with the shares.
func (e *Escrow) preflight(ctx context.Context, j Journal, holders []Holder) error {
	probe := make([]byte, 32)
	_, _ = rand.Read(probe) // never fails
	for _, h := range holders {
		if !h.PGP.IsZero() {
			if err := h.PGP.Usable(time.Now()); err != nil {
				return fmt.Errorf("sealing to %s: %w", h.Name, err)
			}
			continue
		}
		if _, err := secret.Seal(probe, []secret.Recipient{h.Recipient}); err != nil {
			return fmt.Errorf("sealing to %s: %w", h.Name, err)
		}
	}
	sealed, err := secret.Seal(probe, []secret.Recipient{e.Runner.Recipient})
	if err != nil {
		return fmt.Errorf("sealing to %s: %w", e.Runner.Name, err)
	}
	opened, err := secret.Open(sealed, e.Identities)
	if err != nil {
		return fmt.Errorf("opening what is sealed to %s: %w", e.Runner.Name, err)
	}
	if string(opened.Reveal()) != string(probe) {
		return errors.New("what was sealed does not open to what it was")
	}
	for _, folder := range []string{keysPrefix + j.Nonce + "/", j.folder()} {
		if err := e.putProven(ctx, folder+probePrefix+hex.EncodeToString(probe[:6]), sealed); err != nil {
			return err
		}
		if err := e.sweep(ctx, folder+probePrefix); err != nil {
			return err
		}
	}
	return nil
}

// probePrefix begins the names of what preflight writes and deletes.
const probePrefix = "probe-"

// sweep deletes every probe, those too that a killed run left.
func (e *Escrow) sweep(ctx context.Context, prefix string) error {
	probes, err := e.Bucket.List(ctx, prefix)
	if err != nil {
		return fmt.Errorf("listing %s: %w", prefix, err)
	}
	for _, p := range probes {
		if err := e.Bucket.Delete(ctx, p.Key); err != nil {
			return fmt.Errorf("deleting %s: %w", p.Key, err)
		}
	}
	return nil
}

// newNonce names an init: the time to the microsecond, so that names sort, and
// random bytes. It sorts after was, whatever the clock says: another machine's
// may be ahead, or this one's was put back.
func newNonce(now time.Time, was string) string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	random := "-" + hex.EncodeToString(b)
	if nonce := now.UTC().Format(nonceTime) + random; nonce > was {
		return nonce
	}
	at, err := time.Parse(nonceTime, was[:min(len(was), len(nonceTime))])
	if err != nil { // somebody else's name
		return was + random
	}
	return at.Add(time.Microsecond).Format(nonceTime) + random
}

const nonceTime = "20060102t150405.000000"
