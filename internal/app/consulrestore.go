// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"fmt"

	"clusterup.dev/clusterup/internal/backup"
	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/raftsnapshot"
)

// Restoration is a snapshot that was found whole, and opens, but has not been sent.
type Restoration struct {
	backup.Snapshot
	opened *backup.Opened
	proof  consul.Proof
}

// Restored is what a restore did and showed.
type Restored struct {
	Snapshot backup.Snapshot  `json:"snapshot"`
	Safety   *backup.Snapshot `json:"safety,omitempty"` // of what was there before
	Proven   consul.Proven    `json:"proven"`
	Vault    bool             `json:"vault"` // Vault's data was restored, too
}

// PrepareRestore reads a snapshot of Consul, the newest when name is empty, and
// refuses one that is damaged, sealed to others, or of something else. Nothing is
// sent to Consul.
func (s *Session) PrepareRestore(ctx context.Context, name string) (*Restoration, error) {
	if _, err := s.Consul(); err != nil {
		return nil, err
	}
	r := &Restoration{}
	var err error
	if r.opened, err = s.openSnapshot(ctx, s.consulShelf(), name, &r.proof); err != nil {
		return nil, err
	}
	r.Snapshot = r.opened.Snapshot
	if r.proof.Mark == "" {
		return nil, unprovable(r.Name)
	}
	return r, nil
}

// openSnapshot reads a snapshot, the newest when name is empty, and what its taker wrote into
// its description by which a restore is proven. It refuses one that is not whole.
func (s *Session) openSnapshot(ctx context.Context, shelf *backup.Shelf, name string, proof any) (*backup.Opened, error) {
	shot, err := shelf.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(shot.Proof, proof); err != nil {
		return nil, unprovable(shot.Name)
	}
	opened, err := shelf.Open(ctx, shot, s.identities)
	if err != nil {
		return nil, err
	}
	plain, err := opened.Reader()
	if err != nil {
		return nil, err
	}
	archive, err := raftsnapshot.Check(plain)
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", shot.Name, err)
	}
	if archive.Index != shot.Index {
		return nil, fmt.Errorf("snapshot %s is of index %d, and described as of %d", shot.Name, archive.Index, shot.Index)
	}
	return opened, nil
}

func unprovable(name string) error {
	return fmt.Errorf("snapshot %s says nothing by which a restore could be proven", name)
}

// Restore brings Consul back to a snapshot: it takes another one of what is there,
// unless safety is off, restores, proves by reading that Consul holds what it held,
// and makes the tokens and policies of the environment right again, which may have
// changed since. say tells what is done.
func (s *Session) Restore(ctx context.Context, r *Restoration, safety bool, say func(string)) (restored Restored, err error) {
	cluster, err := s.Consul()
	if err != nil {
		return restored, err
	}
	end := s.begin(ctx, "", nil)
	defer func() { end(ctx, nil, err) }()
	restored.Snapshot = r.Snapshot
	if restored.Safety, err = s.keepFirst(ctx, "Consul", safety, s.takeSnapshot, say); err != nil {
		return restored, err
	}
	plain, err := r.opened.Reader()
	if err != nil {
		return restored, err
	}
	say("restoring " + r.Name)
	if err := cluster.Restore(ctx, plain, r.Datacenter); err != nil {
		return restored, hint.With(err, "whether Consul acted may be unknown: run the restore again, which is right in either case")
	}
	restored.Vault = len(s.vaults) > 0
	// At once: the next snapshot, which the job may take at any moment, leaves a mark of its own.
	if err := carryOutOne(ctx, cluster, consul.BootstrapStep); err != nil {
		return restored, fmt.Errorf("after the restore: %w", err)
	}
	say("reading what was there")
	if restored.Proven, err = cluster.Prove(ctx, r.proof); err != nil {
		return restored, err
	}
	say("making tokens and policies right")
	if err := carryOutOne(ctx, cluster, consul.ACLStep); err != nil {
		return restored, fmt.Errorf("after the restore, which is proven: %w", err)
	}
	return restored, nil
}

// keepFirst takes a snapshot of what a restore is about to replace, unless safety is off, and
// asks once more for the run lock.
func (s *Session) keepFirst(ctx context.Context, of string, safety bool, take func(ctx context.Context, trigger string) (backup.Snapshot, error), say func(string)) (*backup.Snapshot, error) {
	var kept *backup.Snapshot
	if safety {
		say("taking a snapshot of what is there now")
		before, err := take(ctx, backup.Safety)
		if err != nil {
			if hint.Of(err) == "" { // one that says how to get it is the better one
				err = hint.With(err, "a %s that cannot give one can be restored with --no-safety-snapshot", of)
			}
			return nil, err
		}
		kept = &before
		say("took " + before.Name)
	}
	if err := s.lease.Check(ctx); err != nil {
		return kept, fmt.Errorf("before the restore: %w", err)
	}
	return kept, nil
}

// carryOutOne does one step of Consul's hook.
func carryOutOne(ctx context.Context, cluster *consul.Cluster, name string) error {
	for _, item := range cluster.Steps() {
		if item.Step.Name() == name {
			return carryOutStep(ctx, item.Step)
		}
	}
	return nil
}
