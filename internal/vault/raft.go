// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/hint"
)

// ErrMoved says that the values name another storage than the one with the data.
var ErrMoved = errors.New("vault keeps its data elsewhere than its values say")

// ErrReseal says that the values name another seal than the one that Vault was
// initialised with.
var ErrReseal = errors.New("vault is sealed in another way than its values say")

// checkStorage refuses to leave the data behind, in another storage or under another
// seal: Vault would be an empty one, or would not open. Replicas that do not answer are
// not asked.
func (v *Vault) checkStorage(ctx context.Context, replicas []replica) error {
	kept := make([]sealStatus, len(replicas))
	var group sync.WaitGroup
	for i, r := range replicas {
		if r.peer == nil || r.state == Unreachable || r.state == Uninitialised {
			continue
		}
		group.Go(func() {
			if s, err := r.peer.sealStatus(ctx); err == nil {
				kept[i] = s
			}
		})
	}
	group.Wait()
	storage, seal := v.cfg.Settings.storage(), v.cfg.Settings.seal()
	for i, is := range kept {
		switch {
		case is.Storage != "" && is.Storage != storage:
			return hint.With(fmt.Errorf("%w: %s has them in %s, and storage.type is %s", ErrMoved, replicas[i].pod.Name, is.Storage, storage),
				"write storage.type %s again; docs/vault.md says under \"Another storage, another seal\" how the data are moved", is.Storage)
		case is.Type != "" && is.Type != seal:
			return hint.With(fmt.Errorf("%w: %s by %s, and seal.type is %s", ErrReseal, replicas[i].pod.Name, is.Type, seal),
				"write seal.type %s again; docs/vault.md says under \"Another storage, another seal\" how a seal is migrated", is.Type)
		}
	}
	return nil
}

// joinPatience is how long a replica that joins the others is left alone.
const joinPatience = 10 * time.Second

// joins reports whether a replica took a threshold of shares to join the others with, a
// moment ago: it opens itself within a second of having their data. To be given shares
// again in that second would open it twice over, and one process would stand for election
// twice. It does not always come to it: the others send their log from its beginning, and
// where that holds an earlier set of shares, Vault 1.21 may try the new ones on it, and
// gives up. Then it takes shares as any sealed replica does.
func (c *client) joins() bool { return time.Since(time.Unix(c.joining.Load(), 0)) < joinPatience }

// lacksData tells the answer to shares of a replica that joined the others, perhaps for an
// earlier run, and has none of their data yet: Vault 1.21 then takes an empty key for its own.
func (s sealStatus) lacksData(err error) bool {
	return s.Storage == raft && isStatus(err, http.StatusInternalServerError) && strings.Contains(err.Error(), "invalid key size 0")
}

// stillSealed is for a replica that was given so many shares and is sealed still. On raft
// one that got enough answers so while it joins the others, which takes it a moment:
// whether they were the right ones is seen when it is open.
func (s sealStatus) stillSealed(given int) error {
	if s.Storage == raft && s.Progress == 0 && s.Threshold <= given {
		return nil
	}
	return fmt.Errorf("%w: it asks for %d, and these are %d", errNotTaken, s.Threshold, given)
}
