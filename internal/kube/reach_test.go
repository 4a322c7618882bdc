// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"errors"
	"testing"
)

func TestHealthListingIsToldInOneLine(t *testing.T) {
	for listing, want := range map[string]string{
		"[+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok\n[-]informer-sync failed\nreadyz check failed": "[-]etcd failed: reason withheld; [-]informer-sync failed",
		"dial tcp: connection refused": "dial tcp: connection refused",
		"first\nsecond":                "first",
	} {
		if got := (brief{errors.New(listing)}).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
