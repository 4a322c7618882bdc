// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/testservers"
)

func shelf(t *testing.T) *Shelf {
	t.Helper()
	server := testservers.S3(t)
	bucket, err := store.Open(t.Context(), store.Config{
		Bucket: server.Bucket, Prefix: "env", Region: server.Region, Endpoint: server.Endpoint, PathStyle: true,
		AccessKey: server.AccessKey, SecretKey: server.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Shelf{Bucket: bucket, Prefix: "backups/consul/", Environment: "env"}
}

func identity(t *testing.T) secret.Identity {
	t.Helper()
	id, err := secret.CreateIdentity(filepath.Join(t.TempDir(), "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func fill(text string, index uint64) func(io.Writer) (Content, error) {
	return func(w io.Writer) (Content, error) {
		_, err := io.WriteString(w, text)
		return Content{Datacenter: "dc1", Version: "1.2.3", Index: index, Proof: json.RawMessage(`{"mark":"m"}`)}, err
	}
}

// A snapshot is sealed in the bucket, described beside, verified, and opens with
// the operator's identity to what it was made of.
func TestSnapshotIsSealedVerifiedAndOpens(t *testing.T) {
	s, me := shelf(t), identity(t)
	const plain = "the state of a service, with all its secrets"
	made, err := s.Save(t.Context(), Manual, []secret.Recipient{me.Recipient(), identity(t).Recipient()}, fill(plain, 42))
	if err != nil {
		t.Fatal(err)
	}
	if made.Verified.IsZero() || !strings.HasSuffix(made.Name, "-42-manual") || len(made.Recipients) != 2 {
		t.Errorf("made %+v", made)
	}
	found, err := s.Find(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if found.SHA256 != made.SHA256 || found.Index != 42 || found.Environment != "env" || found.Version != "1.2.3" {
		t.Errorf("found %+v", found)
	}
	sealed, err := s.Sealed(t.Context(), found)
	if err != nil || bytes.Contains(sealed, []byte("secrets")) || !bytes.HasPrefix(sealed, []byte("age-encryption.org/v1")) {
		t.Errorf("the object is not sealed: %v", err)
	}
	opened, err := s.Open(t.Context(), found, []secret.Identity{me})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // once to check it, once to send it
		r, err := opened.Reader()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != plain {
			t.Errorf("opened %q, %v", got, err)
		}
	}
}

// Whoever cannot open a snapshot is told who can.
func TestSealedToOthers(t *testing.T) {
	s, me, other := shelf(t), identity(t), identity(t)
	made, err := s.Save(t.Context(), Manual, []secret.Recipient{other.Recipient()}, fill("x", 1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(t.Context(), made, []secret.Identity{me})
	if !errors.Is(err, secret.ErrNoIdentity) || !strings.Contains(hint.Of(err), other.Public()) {
		t.Errorf("%v (hint: %s)", err, hint.Of(err))
	}
}

// Bytes that were changed are found by their sum, and a description of another
// environment is refused.
func TestDamageAndStrangersAreRefused(t *testing.T) {
	s, me := shelf(t), identity(t)
	made, err := s.Save(t.Context(), Manual, []secret.Recipient{me.Recipient()}, fill("x", 1))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Sealed(t.Context(), made)
	if err != nil {
		t.Fatal(err)
	}
	sealed[len(sealed)-1] ^= 1
	if err := s.Bucket.Put(t.Context(), s.key(made.Name, sealedEnd), sealed); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), made, []secret.Identity{me}); !errors.Is(err, ErrDamaged) {
		t.Errorf("damaged: %v", err)
	}
	stranger := &Shelf{Bucket: s.Bucket, Prefix: s.Prefix, Environment: "prod"}
	if _, err := stranger.Find(t.Context(), made.Name); err == nil || !strings.Contains(err.Error(), "is of environment env, and this is prod") {
		t.Errorf("of another environment: %v", err)
	}
}

// What is written is verified: a store that loses a byte on the way makes the
// snapshot fail, and nothing is described as one.
func TestWhatArrivesDamagedIsNoSnapshot(t *testing.T) {
	s, me := shelf(t), identity(t)
	s.Bucket = losing{s.Bucket}
	if _, err := s.Save(t.Context(), Scheduled, []secret.Recipient{me.Recipient()}, fill("x", 1)); !errors.Is(err, ErrDamaged) {
		t.Errorf("save: %v", err)
	}
	entries, err := s.List(t.Context())
	if err != nil || len(entries) != 1 || entries[0].Verified {
		t.Errorf("listed %+v, %v", entries, err)
	}
	if _, err := s.Find(t.Context(), ""); err == nil {
		t.Error("it was found as a snapshot")
	}
}

type losing struct{ store.Bucket }

func (l losing) PutNew(ctx context.Context, key string, data []byte) (store.Version, error) {
	return l.Bucket.PutNew(ctx, key, data[:len(data)-1])
}

// What a restore kept of what it replaced is the newest by then, and is not what the
// same command means when it is run again.
func TestRestoreRunAgainChoosesAsBefore(t *testing.T) {
	s, me := shelf(t), identity(t)
	first, err := s.Save(t.Context(), Scheduled, []secret.Recipient{me.Recipient()}, fill("good", 1))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.Save(t.Context(), Safety, []secret.Recipient{me.Recipient()}, fill("bad", 2))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"": first.Name, kept.Name: kept.Name} {
		if found, err := s.Find(t.Context(), name); err != nil || found.Name != want {
			t.Errorf("%q: found %s, %v, want %s", name, found.Name, err, want)
		}
	}
}

// Of the scheduled snapshots the newest stay; manual ones, and what a running job
// has not finished yet, are left alone.
func TestKeep(t *testing.T) {
	s := shelf(t)
	put := func(age time.Duration, trigger string, ends ...string) string {
		name := time.Now().UTC().Add(-age).Format(timeFormat) + "-7-" + trigger
		for _, end := range ends {
			if _, err := s.Bucket.PutNew(t.Context(), s.key(name, end), []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
		return name
	}
	want := []string{
		put(1*time.Minute, Scheduled, sealedEnd), // being written
		put(1*time.Hour, Scheduled, sealedEnd, metaEnd),
		put(2*time.Hour, Scheduled, sealedEnd, metaEnd),
		put(90*time.Hour, Manual, sealedEnd, metaEnd),
		put(91*time.Hour, Manual, sealedEnd),
	}
	gone := []string{
		put(3*time.Hour, Scheduled, sealedEnd, metaEnd),
		put(25*time.Hour, Scheduled, sealedEnd),
		put(26*time.Hour, Scheduled, metaEnd),
	}
	got, err := s.Keep(t.Context(), 2)
	if err != nil || !slices.Equal(got, gone) {
		t.Errorf("deleted %v, %v, want %v", got, err, gone)
	}
	entries, err := s.List(t.Context())
	var left []string
	for _, e := range entries {
		left = append(left, e.Name)
	}
	if err != nil || !slices.Equal(left, want) {
		t.Errorf("left %v, %v, want %v", left, err, want)
	}
	if _, err := s.Keep(t.Context(), 0); err == nil {
		t.Error("keeping none was accepted")
	}
}

func TestTooLargeIsRefusedBeforeItIsHeld(t *testing.T) {
	b := &bounded{Buffer: &bytes.Buffer{}, left: 10}
	if _, err := b.Write(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(make([]byte, 8)); err == nil || b.Len() != 8 {
		t.Errorf("%d bytes are held, %v", b.Len(), err)
	}
}
