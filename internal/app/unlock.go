// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"fmt"

	"clusterup.dev/clusterup/internal/store"
)

// Unlock takes the run lock away from whoever holds it and says who that was.
func (s *Session) Unlock(ctx context.Context) (string, error) {
	if s.whole == nil {
		return s.Name() + " has no store yet, so nobody holds its lock", nil
	}
	was, err := store.Break(ctx, s.whole)
	switch {
	case err != nil:
		return "", err
	case !was.Held:
		return "nobody held the lock of " + s.Name(), nil
	}
	return fmt.Sprintf("took the lock of %s from %s (%s, since %s)", s.Name(), was.Owner, was.Operation, was.Since.Format("2006-01-02 15:04:05 MST")), nil
}
