// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"clusterup.dev/clusterup/internal/backup"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/vault"
)

// raftFolder is where the snapshots of a Vault on raft are, below backups/.
const raftFolder = "vault/"

func (s *Session) vaultShelf() *backup.Shelf {
	return &backup.Shelf{Bucket: s.bucket, Prefix: backupsFolder + "/" + raftFolder, Environment: s.Name()}
}

// vaultOnRaft is the environment's Vault, if it has snapshots of its own.
func (s *Session) vaultOnRaft() (*Vault, error) {
	v, err := s.Vault()
	if err != nil {
		return nil, err
	}
	return v, v.OnRaft()
}

// VaultSnapshots lists the snapshots of a Vault on raft, the newest first.
func (s *Session) VaultSnapshots(ctx context.Context) ([]backup.Entry, error) {
	if _, err := s.vaultOnRaft(); err != nil {
		return nil, err
	}
	return s.vaultShelf().List(ctx)
}

// TakeVaultSnapshot takes a snapshot of a Vault on raft now, sealed to the operators.
func (s *Session) TakeVaultSnapshot(ctx context.Context) (backup.Snapshot, error) {
	return s.saveVault(ctx, backup.Manual)
}

func (s *Session) saveVault(ctx context.Context, trigger string) (backup.Snapshot, error) {
	v, err := s.vaultOnRaft() // before anything is sealed
	if err != nil {
		return backup.Snapshot{}, err
	}
	shot, err := s.vaultShelf().Save(ctx, trigger, s.everybody(), func(w io.Writer) (backup.Content, error) {
		taken, err := v.Snapshot(ctx, w)
		if err != nil {
			return backup.Content{}, err
		}
		proof, err := json.Marshal(taken.Proof)
		return backup.Content{Version: taken.Version, Index: taken.Index, Proof: proof}, err
	})
	return shot, snapshotError("Vault", err)
}

// VaultRestoration is a snapshot of Vault that was found whole, and opens, but has not
// been sent.
type VaultRestoration struct {
	backup.Snapshot
	Lost    bool // Vault has lost its storage: there is nothing to keep, and to make a root token of
	vault   *Vault
	archive []byte
	proof   vault.Proof
}

// Hand begins to collect the key shares that the restore takes: of today, or, where
// nothing is left, of the snapshot's day.
func (r *VaultRestoration) Hand(ctx context.Context) (*Hand, error) {
	if r.Lost {
		return r.vault.HandFor(ctx, r.proof)
	}
	return r.vault.Hand(ctx)
}

// VaultRestored is what a restore of Vault did and showed.
type VaultRestored struct {
	Snapshot backup.Snapshot  `json:"snapshot"`
	Safety   *backup.Snapshot `json:"safety,omitempty"` // of what was there before
	Proven   vault.Proven     `json:"proven"`
	Keys     VaultKeys        `json:"keys"` // whose shares open it now
}

// PrepareVaultRestore reads a snapshot of Vault, the newest when name is empty, and refuses
// one that is damaged, sealed to others, or of another Vault. Nothing is sent to Vault.
func (s *Session) PrepareVaultRestore(ctx context.Context, name string) (*VaultRestoration, error) {
	v, err := s.vaultOnRaft()
	if err != nil {
		return nil, err
	}
	r := &VaultRestoration{vault: v}
	opened, err := s.openSnapshot(ctx, s.vaultShelf(), name, &r.proof)
	if err != nil {
		return nil, err
	}
	r.Snapshot = opened.Snapshot
	if r.proof.Mark == "" {
		return nil, unprovable(r.Name)
	}
	if err := v.Restorable(ctx, r.proof); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", r.Name, err)
	}
	if r.Lost, err = v.Lost(ctx); err != nil {
		return nil, err
	}
	plain, err := opened.Reader()
	if err != nil {
		return nil, err
	}
	r.archive, err = io.ReadAll(plain) // Vault's own encryption is still around it
	return r, err
}

// RestoreVault brings Vault back to a snapshot with a threshold of today's key shares: it takes
// another one of what is there, unless safety is off, restores, opens Vault with the shares
// of the snapshot's day, proves by reading that Vault holds what it held, and makes its
// configuration right again, which may have changed since. say tells what is done.
func (s *Session) RestoreVault(ctx context.Context, r *VaultRestoration, hand *Hand, how Emergency, safety bool, say func(string)) (restored VaultRestored, err error) {
	v, err := s.Vault()
	if err != nil {
		return restored, err
	}
	if err := hand.Enough(); err != nil {
		return restored, err
	}
	end := s.begin(ctx, "", nil)
	defer func() { end(ctx, nil, err) }()
	restored.Snapshot = r.Snapshot
	if restored.Safety, err = s.keepFirst(ctx, "Vault", safety && !r.Lost, s.saveVault, say); err != nil {
		return restored, err
	}
	say("restoring " + r.Name)
	if r.Lost {
		restored.Proven, err = v.Revive(ctx, hand, r.archive, r.proof)
	} else {
		restored.Proven, err = v.Restore(ctx, hand, how, r.archive, r.proof)
	}
	if err != nil {
		return restored, err
	}
	say("making its configuration right")
	for _, step := range v.Steps() {
		if name := step.Name(); name != vault.UnsealStep && name != vault.ConfigureStep {
			continue
		}
		if err := carryOutStep(ctx, step); err != nil {
			return restored, fmt.Errorf("after the restore, which is proven: %w", err)
		}
	}
	restored.Keys, err = v.Keys(ctx)
	return restored, err
}

// carryOutStep does one step and no other: whatever else is to be done, a rollout for
// instance, can wait for the next run.
func carryOutStep(ctx context.Context, step converge.Step) error {
	planned, err := converge.PlanAll(ctx, []converge.Item{{Step: step}})
	if err != nil {
		return err
	}
	_, err = converge.Runner{}.Apply(ctx, planned)
	return err
}
