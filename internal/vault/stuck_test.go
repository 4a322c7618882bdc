// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"net/http"
	"testing"
	"time"
)

// testStuck leaves requests that enable the audit device at ever later moments,
// until Vault is left with half of one, and has a run mend it: with two replicas,
// so that another takes over at once.
func testStuck(t *testing.T, g *ground) {
	w := g.newWorld(t, 2)
	v := w.open(t)
	if _, err := run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	replicas, err := v.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at, _ := active(replicas)
	own, err := v.login(t.Context(), at.peer)
	if err != nil {
		t.Fatal(err)
	}
	items, err := v.managed()
	if err != nil {
		t.Fatal(err)
	}
	device := items[0]
	enable := func(within time.Duration) error {
		return own.do(t.Context(), request{method: http.MethodPost, path: device.path, token: own.token, body: device.want, timeout: within}, nil)
	}
	disable := func() {
		t.Helper()
		err := own.do(t.Context(), request{method: http.MethodDelete, path: device.path, token: own.token}, nil)
		if err != nil && !isStatus(err, http.StatusBadRequest) {
			t.Fatal(err)
		}
	}
	stuck := false
	for n := 0; n < 2000 && !stuck; n++ {
		disable()
		_ = enable(200*time.Microsecond + time.Duration(n%200)*10*time.Microsecond) // cut off somewhere
		stuck = isStuck(enable(quick))
	}
	if !stuck {
		t.Skip("no request was cut off at the moment that leaves half of a device")
	}
	if _, err := run(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	w.mustServe(t)
}
