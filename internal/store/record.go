// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"clusterup.dev/clusterup/internal/hint"
)

// LockKey is where the run lock is. The object stays when the lock is released:
// it holds the fencing number, which must never go back.
const LockKey = "lock.json"

// LockStore is what the lock needs of a store.
type LockStore interface {
	Get(ctx context.Context, key string) ([]byte, Version, error)
	PutNew(ctx context.Context, key string, data []byte) (Version, error)
	PutIf(ctx context.Context, key string, data []byte, was Version) (Version, error)
	// Age is how long ago a key was written, by the store's own clock alone;
	// zero when that cannot be told.
	Age(ctx context.Context, key string) (time.Duration, Version, error)
}

// record is the content of lock.json.
type record struct {
	Fence  int64   `json:"fence"`            // grows by one with every holder, for ever
	Holder *holder `json:"holder,omitempty"` // nobody when the lock is free
}

type holder struct {
	Owner     string    `json:"owner"`               // "root@vm pid 123"
	Operation string    `json:"operation,omitempty"` // "create"
	Since     time.Time `json:"since"`
	TTL       string    `json:"ttl"`
	Process   process   `json:"process"`
	Nonce     string    `json:"nonce"` // tells this holder from every other one
	Beat      int64     `json:"beat"`  // makes every renewal another version
}

func (h *holder) ttl() time.Duration {
	d, err := time.ParseDuration(h.TTL)
	if err != nil || d <= 0 {
		return defaultTTL
	}
	return d
}

func (r record) encode() ([]byte, error) { return json.Marshal(r) }

func decodeRecord(data []byte) (record, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return r, hint.With(fmt.Errorf("read the run lock %s: %w", LockKey, err),
			"it was not written by clusterup; when no run is under way, delete it")
	}
	return r, nil
}

// LockInfo is what is known of the run lock.
type LockInfo struct {
	Held      bool
	Fence     int64
	Owner     string
	Operation string
	Since     time.Time
	Expires   time.Time // by this machine's clock, unless the holder renews it
	Gone      bool      // its holder was a process of this machine and runs no more
}

// LockedError says that another run holds the lock.
type LockedError struct {
	Owner     string
	Operation string
	Since     time.Time
	Expires   time.Time
}

// same reports whether both speak of one holder.
func (e *LockedError) same(other *LockedError) bool {
	return e.Owner == other.Owner && e.Operation == other.Operation && e.Since.Equal(other.Since)
}

func (e *LockedError) Error() string {
	s := "locked: held by " + e.Owner
	if e.Operation != "" {
		s += " (" + e.Operation + ")"
	}
	s += " since " + e.Since.Local().Format("2006-01-02 15:04:05")
	if left := time.Until(e.Expires); left > 0 {
		return s + fmt.Sprintf("; expires in %s unless renewed", left.Round(time.Second))
	}
	return s + "; expired"
}

// Inspect looks at the lock and changes nothing.
func Inspect(ctx context.Context, b LockStore) (LockInfo, error) {
	info, _, err := look(ctx, b)
	return info.LockInfo, err
}
