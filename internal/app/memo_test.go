// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestMemoAsksOnceForManyAskers(t *testing.T) {
	var asked atomic.Int32
	get := memo(func(context.Context) (int, error) { asked.Add(1); return 7, nil })
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if v, err := get(t.Context()); v != 7 || err != nil {
				t.Errorf("%d, %v", v, err)
			}
		})
	}
	wait.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestMemoForgetsAnError(t *testing.T) {
	fail := true
	get := memo(func(context.Context) (int, error) {
		if fail {
			return 0, errors.New("not yet")
		}
		return 7, nil
	})
	if _, err := get(t.Context()); err == nil {
		t.Fatal("the error is lost")
	}
	fail = false
	if v, err := get(t.Context()); v != 7 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
}
