// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/raftsnapshot"
)

// MarkPolicy is a policy that grants nothing. Its text is written before a snapshot is
// taken, and is another one each time, so that a Vault which has it is the one of
// that snapshot.
const MarkPolicy = "clusterup-snapshot"

const (
	markPath        = "sys/policies/acl/" + MarkPolicy
	snapshotPath    = "sys/storage/raft/snapshot"
	restorePath     = "sys/storage/raft/snapshot-force"
	transferTimeout = 8 * time.Minute // for all bytes of a snapshot; clusterup's own token lives longer
)

// snapshotGrants is what clusterup's own policy allows on raft, beyond its file.
func (v *Vault) snapshotGrants() []grant {
	if v.cfg.Settings.storage() != raft {
		return nil
	}
	return []grant{{snapshotPath, "read"}}
}

// Taken is what is known of a snapshot.
type Taken struct {
	raftsnapshot.Archive
	Version string // of Vault
	Proof   Proof
}

// Proof is what Vault held when a snapshot was taken, as far as anybody may know it.
// The mark alone is exact; others may write beside a snapshot, so the rest is what was
// there both before and after it.
type Proof struct {
	Mark    string   `json:"mark"`
	Shares  string   `json:"shares"`  // the nonce of the init or rekey whose shares open it
	Engines []string `json:"engines"` // "secret/ kv_1a2b3c4d": the path and what Vault calls it since it was made
	Methods []string `json:"methods"` // of auth, in the same form
}

// Snapshot marks a Vault on raft and writes a snapshot of it to w, checked on its way.
// The bytes are encrypted as Vault keeps them. A second snapshot at the same time, whose
// mark would be in this one, makes it fail.
func (v *Vault) Snapshot(ctx context.Context, w io.Writer) (taken Taken, err error) {
	if err := v.OnRaft(); err != nil {
		return taken, err
	}
	journal, err := v.quiet(ctx)
	if err != nil {
		return taken, err
	}
	at, err := v.activeReplica(ctx)
	if err != nil {
		return taken, err
	}
	s, err := v.login(ctx, at.peer)
	if err != nil {
		return taken, err
	}
	defer func() { err = errors.Join(err, s.end(ctx)) }()
	mark := rand.Text()
	if err := s.setMark(ctx, mark); err != nil {
		return taken, fmt.Errorf("write the policy %s: %w", MarkPolicy, err)
	}
	before, err := s.facts(ctx)
	if err != nil {
		return taken, fmt.Errorf("look at what Vault holds: %w", err)
	}
	if taken.Archive, err = s.save(ctx, w); err != nil {
		err = fmt.Errorf("take a snapshot: %w", err)
		if isStatus(err, http.StatusForbidden) {
			err = hint.With(err, "clusterup's own policy is older than this command: `clusterup reconcile ENV` writes it anew")
		}
		return taken, err
	}
	after, err := s.facts(ctx)
	if err != nil {
		return taken, fmt.Errorf("look at what Vault holds: %w", err)
	}
	if after.Mark != mark {
		return taken, hint.With(errors.New("another snapshot was taken at the same time"), "take it again")
	}
	if now, err := v.quiet(ctx); err != nil || now.Shareholding().Nonce != journal.Shareholding().Nonce {
		return taken, errors.Join(err, hint.With(errors.New("new key shares were dealt at the same time"), "take it again"))
	}
	status, err := at.peer.sealStatus(ctx)
	taken.Version = status.Version
	taken.Proof = Proof{Mark: mark, Shares: journal.Shareholding().Nonce, Engines: common(before.Engines, after.Engines), Methods: common(before.Methods, after.Methods)}
	return taken, err
}

// OnRaft refuses a Vault whose data are elsewhere.
func (v *Vault) OnRaft() error {
	if v.cfg.Settings.storage() == raft {
		return nil
	}
	return hint.With(errors.New("this Vault keeps its data in Consul"), "they are in Consul's snapshots: `clusterup consul snapshot ENV` and `clusterup consul restore ENV`")
}

// quiet is the journal of a Vault whose key shares are known and whose first root token
// is gone: a restore would bring it back to life.
func (v *Vault) quiet(ctx context.Context) (custody.Journal, error) {
	_, j, err := v.dealt(ctx)
	if err != nil {
		return j, err
	}
	if _, undecided := j.Undecided(); undecided {
		return j, hint.With(errors.New("a rekey of Vault was cut off, and it is not known which key shares open it"), "`clusterup vault rekey ENV` finds it out")
	}
	if j.Provisional() || j.State != custody.Revoked {
		return j, hint.With(errors.New("vault is not set up yet: its first key shares or its first root token are still in use"), "`clusterup create ENV` goes on")
	}
	return j, nil
}

// setMark writes the policy that grants nothing: it is a comment.
func (s session) setMark(ctx context.Context, mark string) error {
	return s.do(ctx, request{method: http.MethodPost, path: markPath, token: s.token, body: map[string]string{
		"policy": "# Grants nothing. clusterup writes it before each snapshot, to know it again: " + mark + "\n",
	}}, nil)
}

// facts are what can be read of Vault and told to anybody.
func (s session) facts(ctx context.Context) (p Proof, err error) {
	var policy struct {
		Data struct {
			Policy string `json:"policy"`
		} `json:"data"`
	}
	err = s.do(ctx, request{method: http.MethodGet, path: markPath, token: s.token, accept: []int{http.StatusNotFound}}, &policy)
	if err != nil {
		return p, err
	}
	if words := strings.Fields(policy.Data.Policy); len(words) > 0 {
		p.Mark = words[len(words)-1]
	}
	if p.Engines, err = s.accessors(ctx, "sys/mounts"); err != nil {
		return p, err
	}
	p.Methods, err = s.accessors(ctx, "sys/auth")
	return p, err
}

// accessors are the mounts of a list by their paths and by what Vault called them when
// they were made.
func (s session) accessors(ctx context.Context, list string) (all []string, err error) {
	var answer struct {
		Data map[string]struct {
			Accessor string `json:"accessor"`
		} `json:"data"`
	}
	err = s.do(ctx, request{method: http.MethodGet, path: list, token: s.token}, &answer)
	for path, mount := range answer.Data {
		all = append(all, path+" "+mount.Accessor)
	}
	slices.Sort(all)
	return all, err
}

func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(name string) bool { return !slices.Contains(b, name) })
}

// save copies a snapshot to w and checks it while it passes.
func (s session) save(ctx context.Context, w io.Writer) (a raftsnapshot.Archive, err error) {
	err = s.stream(ctx, request{method: http.MethodGet, path: snapshotPath, token: s.token, timeout: transferTimeout}, func(body io.Reader) (err error) {
		a, err = raftsnapshot.Copy(w, body)
		return err
	})
	return a, err
}
