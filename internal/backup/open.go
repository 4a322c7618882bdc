// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// Opened is a snapshot whose sealed bytes were compared with their description.
type Opened struct {
	Snapshot
	sealed []byte
	ids    []secret.Identity
}

// Open reads a snapshot and makes sure that one of ids opens it.
func (s *Shelf) Open(ctx context.Context, shot Snapshot, ids []secret.Identity) (*Opened, error) {
	sealed, err := s.Sealed(ctx, shot)
	if err != nil {
		return nil, err
	}
	o := &Opened{Snapshot: shot, sealed: sealed, ids: ids}
	_, err = o.Reader()
	return o, err
}

// Reader gives the bytes that were sealed, from their begin. They are decrypted
// as they are read.
func (o *Opened) Reader() (io.Reader, error) {
	r, err := secret.OpenFrom(bytes.NewReader(o.sealed), o.ids)
	if errors.Is(err, secret.ErrNoIdentity) {
		return nil, hint.With(fmt.Errorf("snapshot %s: %w than you", o.Name, err), "it opens with the identity of %s", strings.Join(o.Recipients, " or "))
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", o.Name, err)
	}
	return r, nil
}
