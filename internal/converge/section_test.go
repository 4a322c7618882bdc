// SPDX-License-Identifier: Apache-2.0

package converge

import (
	"testing"
	"time"
)

// TestSection proves that who ends the program waits for what has begun.
func TestSection(t *testing.T) {
	var s Section
	ctx := WithSection(t.Context(), &s)
	if s.Busy() {
		t.Error("busy before anything began")
	}
	first, second := Uninterruptible(ctx), Uninterruptible(ctx)
	waited := make(chan struct{})
	go func() { s.Wait(); close(waited) }()
	mustWait := func(when string) {
		t.Helper()
		select {
		case <-waited:
			t.Fatalf("ended %s", when)
		case <-time.After(20 * time.Millisecond):
		}
		if !s.Busy() {
			t.Errorf("not busy %s", when)
		}
	}
	mustWait("while two are at work")
	first()
	first() // counts once
	mustWait("while one is at work")
	second()
	<-waited
}

// TestSectionEnds proves that nothing begins once the program is ending.
func TestSectionEnds(t *testing.T) {
	var s Section
	s.Wait()
	began := make(chan struct{})
	go func() { Uninterruptible(WithSection(t.Context(), &s)); close(began) }()
	select {
	case <-began:
		t.Error("a stretch began after the end")
	case <-time.After(20 * time.Millisecond):
	}
	s.mu.Unlock() // so that the test leaves nobody behind
	<-began
}

func TestNoSection(t *testing.T) {
	done := Uninterruptible(t.Context())
	done()
	done()
}
