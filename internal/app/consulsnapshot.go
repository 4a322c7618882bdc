// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"clusterup.dev/clusterup/internal/backup"
	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// The folder of snapshots, as an operator reaches it and as a pod does, which
// sees only what is below backups/.
const (
	backupsFolder = "backups"
	consulFolder  = "consul/"
)

func (s *Session) consulShelf() *backup.Shelf {
	return &backup.Shelf{Bucket: s.bucket, Prefix: backupsFolder + "/" + consulFolder, Environment: s.Name()}
}

// What is known of a snapshot, for those who know this package alone.
type (
	Snapshot      = backup.Snapshot
	SnapshotEntry = backup.Entry
)

// Snapshots lists the snapshots of Consul, the newest first.
func (s *Session) Snapshots(ctx context.Context) ([]backup.Entry, error) {
	return s.consulShelf().List(ctx)
}

// TakeSnapshot takes a snapshot of Consul now, sealed to the operators.
func (s *Session) TakeSnapshot(ctx context.Context) (backup.Snapshot, error) {
	s.early = true
	defer func() { s.early = false }()
	return s.takeSnapshot(ctx, backup.Manual)
}

func (s *Session) takeSnapshot(ctx context.Context, trigger string) (backup.Snapshot, error) {
	cluster, err := s.Consul()
	if err != nil {
		return backup.Snapshot{}, err
	}
	return saveConsul(ctx, s.consulShelf(), cluster, trigger, s.everybody())
}

// saveConsul takes a snapshot of Consul and puts it on the shelf.
func saveConsul(ctx context.Context, shelf *backup.Shelf, cluster *consul.Cluster, trigger string, to []secret.Recipient) (backup.Snapshot, error) {
	shot, err := shelf.Save(ctx, trigger, to, func(w io.Writer) (backup.Content, error) {
		taken, err := cluster.Snapshot(ctx, w)
		if err != nil {
			return backup.Content{}, err
		}
		proof, err := json.Marshal(taken.Proof)
		return backup.Content{Datacenter: taken.Datacenter, Version: taken.Version, Index: taken.Index, Proof: proof}, err
	})
	return shot, snapshotError("Consul", err)
}

func snapshotError(of string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, store.ErrReadOnly) || errors.Is(err, converge.ErrNotYet) || errors.Is(err, secret.ErrNobody) {
		err = hint.With(err, "make the environment first")
	}
	return fmt.Errorf("snapshot of %s: %w", of, err)
}

// Ago is a duration as people say it: "40s", "5m", "3h", "12d".
func Ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}
