// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package localcluster

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"clusterup.dev/clusterup/internal/hint"
)

func notHere() error {
	return hint.With(fmt.Errorf("a local environment needs Linux; this is %s", runtime.GOOS), existingCluster)
}

// Preflight says that this machine can't hold a local environment.
func Preflight(context.Context, Config) error { return notHere() }

// Reserve is only possible on Linux.
func Reserve(context.Context, Config) (Reservation, error) { return Reservation{}, notHere() }

// Reserved finds nothing: only Linux can hold something.
func Reserved(Config) (Reservation, error) { return Reservation{}, nil }

// Observe is only possible on Linux.
func Observe(context.Context, Config) (Observation, error) { return Observation{}, notHere() }

// Remove is only possible on Linux.
func Remove(context.Context, Config) error { return notHere() }

// LeftBehind is only possible on Linux.
func LeftBehind(context.Context, Config) ([]string, error) { return nil, notHere() }

// EnsureStore is only possible on Linux.
func EnsureStore(context.Context, Config) (StoreAccess, error) { return StoreAccess{}, notHere() }

// StopStore is only possible on Linux.
func StopStore(context.Context, Config) error { return notHere() }

// PurgeStore is only possible on Linux.
func PurgeStore(context.Context, Config) error { return notHere() }

// StoreExists reports whether an earlier run has made a store; here none can.
func StoreExists(Config) bool { return false }

// Main is only possible on Linux.
func Main(context.Context, []string, io.Writer, io.Writer) error { return notHere() }
