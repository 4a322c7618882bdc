// SPDX-License-Identifier: Apache-2.0

package renewal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// How long Run waits: after everything was right, and after something failed, first
// and at most.
const (
	calm  = 10 * time.Minute
	first = 2 * time.Second
	most  = 2 * time.Minute
	once  = time.Minute // one look and one renewal take no longer
)

// Run keeps the certificate until ctx ends. say is told what happens, a failure once
// for as long as it stays the same. What waiting cannot mend is the error.
func (k *Keeper) Run(ctx context.Context, say func(string)) error {
	before, pause := "", first
	for {
		limited, cancel := context.WithTimeout(ctx, once)
		said, err := k.Once(limited)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrNowhere):
			return err
		case err != nil:
			if said = "trying again: " + err.Error(); said == before {
				said = ""
			} else {
				before = said
			}
		default:
			before = ""
		}
		if said != "" {
			say(said)
		}
		wait := calm
		if err != nil {
			wait, pause = pause, min(2*pause, most)
		} else {
			pause = first
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Serve answers 200 at /ready while the certificate is as it should be, and 503 with
// the cause otherwise, until ctx ends.
func (k *Keeper) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := k.Healthy(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving /ready: %w", err)
	}
	return nil
}
