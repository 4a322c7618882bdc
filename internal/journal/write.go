// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"
)

// The records of a run, by their number in it.
const (
	startSeq   = 1
	attemptSeq = 2
	endSeq     = 3
)

// writeTimeout bounds a record: a run does not wait for its journal.
const writeTimeout = 10 * time.Second

// Writer writes the records of one run.
type Writer struct {
	bucket Bucket
	id     string
}

// Begin writes the first record. The time and who runs are filled in. The Writer
// can be used after an error too.
func Begin(ctx context.Context, b Bucket, start Start) (*Writer, error) {
	start.At, start.Who = now(), who()
	w := &Writer{bucket: b, id: newID(start.At)}
	return w, w.put(ctx, startSeq, start)
}

// Attempt writes that a release is about to be applied.
func (w *Writer) Attempt(ctx context.Context, release string) error {
	return w.put(ctx, attemptSeq, Attempt{At: now(), Release: release})
}

// End writes the last record, also when ctx has ended. The time is filled in.
func (w *Writer) End(ctx context.Context, end End) error {
	end.At, end.Error = now(), line(end.Error)
	for i := range end.Steps {
		end.Steps[i].Error = line(end.Steps[i].Error)
	}
	return w.put(context.WithoutCancel(ctx), endSeq, end)
}

func (w *Writer) put(ctx context.Context, seq int, record any) error {
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	_, err = w.bucket.PutNew(ctx, key(w.id, seq), data)
	return err
}

func key(id string, seq int) string { return fmt.Sprintf("%s%s/%06d.json", prefix, id, seq) }

// idTime makes names sort by time; the rest tells runs of one moment apart.
const idTime = "20060102T150405.000Z"

func newID(at time.Time) string {
	return at.UTC().Format(idTime) + "-" + strings.ToLower(rand.Text()[:6])
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// line is the first line of an error, and not a page of it.
func line(text string) string {
	const most = 500
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if runes := []rune(first); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return first
}

func who() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}
