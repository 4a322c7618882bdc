// SPDX-License-Identifier: Apache-2.0

package app

import (
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/environment"
	"clusterup.dev/clusterup/internal/vault"
)

// TestUnconfirmedIsNotDegraded proves that the row of the key shares tells how many
// holders have confirmed, until all have, that it is healthy all the same, and that a
// lone custodian is not asked.
func TestUnconfirmedIsNotDegraded(t *testing.T) {
	three := map[string]int{"alice": 1, "bob": 2, "me": 1}
	for _, test := range []struct {
		shares    map[string]int
		confirmed []string
		want      string
	}{
		{three, nil, "0 of 3 holders have confirmed"},
		{three, []string{"alice", "bob"}, "2 of 3 holders have confirmed"},
		{three, []string{"alice", "bob", "me"}, ""},
		{map[string]int{"me": 3}, nil, ""},
		{map[string]int{"bob": 3}, nil, "0 of 1 holders have confirmed"},
	} {
		s := &Session{App: &App{env: &environment.Environment{}}}
		s.env.Spec.Custodian = "me"
		row := s.sharesReport(vault.Status{Shares: test.shares, Confirmed: test.confirmed, Threshold: 2})
		if !row.Healthy || !strings.Contains(row.Detail, test.want) || test.want == "" && row.Detail != "" {
			t.Errorf("%v of %v: %+v", test.confirmed, test.shares, row)
		}
	}
}
