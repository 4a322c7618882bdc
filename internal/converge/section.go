// SPDX-License-Identifier: Apache-2.0

package converge

import (
	"context"
	"sync"
)

// Section knows of the stretches of work that a program must not be ended in,
// not even by a second Ctrl-C. The zero Section is ready for use.
type Section struct{ mu sync.RWMutex }

type sectionKey struct{}

// WithSection gives everything under ctx the section that Uninterruptible enters.
func WithSection(ctx context.Context, s *Section) context.Context {
	return context.WithValue(ctx, sectionKey{}, s)
}

// Uninterruptible begins a stretch that ends with done, which may be called more
// than once. Stretches may overlap, but must not nest. Once the program is
// ending, no new one begins: the call does not return. Without a section in ctx
// it does nothing.
func Uninterruptible(ctx context.Context) (done func()) {
	s, ok := ctx.Value(sectionKey{}).(*Section)
	if !ok {
		return func() {}
	}
	s.mu.RLock()
	return sync.OnceFunc(s.mu.RUnlock)
}

// Busy reports whether Wait would wait.
func (s *Section) Busy() bool {
	if !s.mu.TryLock() {
		return true
	}
	s.mu.Unlock()
	return false
}

// Wait waits for every stretch that has begun and lets no other begin. It is
// called once, and the program ends right after it.
func (s *Section) Wait() { s.mu.Lock() }
