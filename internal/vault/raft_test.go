// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// testRaft has three replicas that keep the data themselves: made from nothing,
// restarted, robbed of the active one, and given an empty volume.
func testRaft(t *testing.T, g *ground) {
	w := g.newWorldOn(t, 3, func(w *world) { w.Raft = true })
	w.mustRun(t)
	w.mustServe(t)
	w.mustHaveVoters(t, 3)
	detail, err := w.open(t).Detail(t.Context())
	if err != nil || len(detail.Pods) != 3 || detail.Pods[2].Storage != raft {
		t.Errorf("%+v, %v", detail, err)
	}
	old := mustHand(t, w.open(t))
	w.Threshold = 3
	if err := rekey(t.Context(), w.open(t)); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if opened, err := w.peerOf(t, 1).unseal(t.Context(), old.Shares()); opened || !errors.Is(err, errNotTaken) {
		t.Errorf("two shares where three are asked for: %v, %v", opened, err)
	}
	if status, err := w.peerOf(t, 1).sealStatus(t.Context()); err != nil || status.Progress != 0 {
		t.Errorf("they are left there: %+v, %v", status, err)
	}
	w.mustRun(t)
	w.mustServe(t)

	w.servers[0].Kill()
	w.start(t, 0)
	w.mustRun(t)
	w.mustServe(t)

	w.servers[2].Kill()
	if err := os.RemoveAll(w.data(2)); err != nil {
		t.Fatal(err)
	}
	w.start(t, 2)
	start := time.Now()
	w.mustRun(t)
	t.Logf("joined again in %.1fs; half a minute where it was the leader", time.Since(start).Seconds())
	w.mustServe(t)
	w.mustHaveVoters(t, 3)

	elsewhere := w.open(t)
	elsewhere.cfg.Settings.Storage = Keeping{}
	if _, err := run(t.Context(), elsewhere); !errors.Is(err, ErrMoved) || hint.Of(err) == "" {
		t.Errorf("with another storage in the values: %v", err)
	}
}

// mustHaveVoters asks Vault itself who votes: one that joined does so when it was
// stable for ten seconds.
func (w *world) mustHaveVoters(t *testing.T, want int) {
	t.Helper()
	v := w.open(t)
	h := mustHand(t, v)
	err := v.WithRoot(t.Context(), h, Emergency{}, func(ctx context.Context, root Root) error {
		return converge.Until(ctx, "every replica to vote", time.Minute, func(ctx context.Context) (bool, string, error) {
			var answer struct {
				Data struct {
					Config struct {
						Servers []struct {
							Voter bool `json:"voter"`
						} `json:"servers"`
					} `json:"config"`
				} `json:"data"`
			}
			err := w.activePeer(t).do(ctx, request{method: http.MethodGet, path: "sys/storage/raft/configuration", token: root.Token}, &answer)
			voters := 0
			for _, s := range answer.Data.Config.Servers {
				if s.Voter {
					voters++
				}
			}
			return voters == want, fmt.Sprintf("%d do", voters), err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}
