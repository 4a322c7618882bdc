// SPDX-License-Identifier: Apache-2.0

// Package backup keeps sealed snapshots of one service in a bucket: each is
// sealed before it leaves the process, read back after it was written, and
// described beside by what anybody may know of it. It does not know what a
// snapshot holds.
//
//	<prefix><time>-<index>-<trigger>.snap.age   the sealed bytes; create-only
//	<prefix><time>-<index>-<trigger>.json       a Snapshot, written last; without it there is no snapshot
package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// MaxSize is how many sealed bytes a snapshot may have: it is held in memory,
// once when it is written and once more when it is read back.
const MaxSize = 512 << 20

// Why a snapshot was taken.
const (
	Manual    = "manual"    // asked for by an operator; deleted by nobody
	Scheduled = "scheduled" // by the job in the cluster, which keeps the newest
	Safety    = "safety"    // of what a restore was about to replace; only restored by its name
)

// Snapshot describes one snapshot. Nothing in it is secret.
type Snapshot struct {
	Format      int       `json:"format"` // 1
	Name        string    `json:"name"`   // "20261128T160501Z-1234-manual"
	Environment string    `json:"environment"`
	Taken       time.Time `json:"taken"`
	Trigger     string    `json:"trigger"`
	Size        int64     `json:"size"`       // of the sealed bytes
	SHA256      string    `json:"sha256"`     // of the sealed bytes, in hex
	Recipients  []string  `json:"recipients"` // public keys of those who can open it
	Verified    time.Time `json:"verified"`   // when the sealed bytes were read back and compared
	Content               // what is known of the snapshot itself
}

// Content is what whoever takes a snapshot knows of it.
type Content struct {
	Datacenter string          `json:"datacenter"`
	Version    string          `json:"version"` // of the service
	Index      uint64          `json:"index"`   // of raft
	Proof      json.RawMessage `json:"proof"`   // what shows after a restore that this is there
}

const (
	format     = 1
	sealedEnd  = ".snap.age"
	metaEnd    = ".json"
	timeFormat = "20060102T150405Z"
)

// Shelf is where the snapshots of one service of an environment are kept.
type Shelf struct {
	Bucket      store.Bucket
	Prefix      string // "backups/consul/"
	Environment string
}

// Save seals what fill writes, puts it into the bucket, reads it back, and only
// then describes it there. fill's bytes are never held as a whole, and reach no
// disk.
func (s *Shelf) Save(ctx context.Context, trigger string, to []secret.Recipient, fill func(io.Writer) (Content, error)) (Snapshot, error) {
	var sealed bytes.Buffer
	w, err := secret.SealTo(&bounded{Buffer: &sealed, left: MaxSize}, to)
	if err != nil {
		return Snapshot{}, err
	}
	content, err := fill(w)
	if err != nil {
		return Snapshot{}, err
	}
	if err := w.Close(); err != nil {
		return Snapshot{}, fmt.Errorf("seal the snapshot: %w", err)
	}
	now := time.Now().UTC()
	shot := Snapshot{
		Format: format, Name: fmt.Sprintf("%s-%d-%s", now.Format(timeFormat), content.Index, trigger),
		Environment: s.Environment, Taken: now.Truncate(time.Second), Trigger: trigger,
		Size: int64(sealed.Len()), SHA256: sum(sealed.Bytes()), Content: content,
	}
	for _, r := range to {
		shot.Recipients = append(shot.Recipients, r.String())
	}
	if _, err := s.Bucket.PutNew(ctx, s.key(shot.Name, sealedEnd), sealed.Bytes()); err != nil {
		return Snapshot{}, err
	}
	sealed = bytes.Buffer{} // what is read back takes its room
	if _, err := s.Sealed(ctx, shot); err != nil {
		return Snapshot{}, fmt.Errorf("verify what was written: %w", err)
	}
	shot.Verified = time.Now().UTC().Truncate(time.Second)
	data, err := json.MarshalIndent(shot, "", "  ")
	if err != nil {
		return Snapshot{}, err
	}
	_, err = s.Bucket.PutNew(ctx, s.key(shot.Name, metaEnd), append(data, '\n'))
	return shot, err
}

func (s *Shelf) key(name, end string) string { return s.Prefix + name + end }

// ErrDamaged says that the sealed bytes are not those that were written.
var ErrDamaged = errors.New("it is not what was written")

// Sealed reads the sealed bytes and compares them with their description.
func (s *Shelf) Sealed(ctx context.Context, shot Snapshot) ([]byte, error) {
	data, _, err := s.Bucket.Get(ctx, s.key(shot.Name, sealedEnd))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != shot.Size || sum(data) != shot.SHA256 {
		err := fmt.Errorf("snapshot %s: %w: %d bytes with SHA-256 %.12s, and %d with %.12s were", shot.Name, ErrDamaged, len(data), sum(data), shot.Size, shot.SHA256)
		return nil, hint.With(err, "take another snapshot; with versions in the bucket, an older version of the object may be whole")
	}
	return data, nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// bounded refuses to grow beyond what one process should hold.
type bounded struct {
	*bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, hint.With(fmt.Errorf("the snapshot has more than %d MiB", MaxSize>>20), "it would have to be held in memory: take it with the service's own program, and seal it with age")
	}
	return b.Buffer.Write(p)
}
