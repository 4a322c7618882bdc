// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

// A certificate is late when thirty days are left, or a fifth of a life that is
// shorter than five months; of several, the one that ends first is named.
func TestLate(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	cert := func(life, left time.Duration) *x509.Certificate {
		return &x509.Certificate{NotBefore: now.Add(left - life), NotAfter: now.Add(left)}
	}
	tests := map[string]struct {
		shown []*x509.Certificate
		want  string
	}{
		"years, fresh":       {[]*x509.Certificate{cert(730*day, 700*day)}, ""},
		"years, a month":     {[]*x509.Certificate{cert(730*day, 31*day)}, ""},
		"years, late":        {[]*x509.Certificate{cert(730*day, 29*day)}, "2026-06-30"},
		"a month, renewable": {[]*x509.Certificate{cert(30*day, 9*day)}, ""},
		"a month, late":      {[]*x509.Certificate{cert(30*day, 5*day)}, "2026-06-06"},
		"over":               {[]*x509.Certificate{cert(30*day, -day)}, "2026-05-31"},
		"one of two":         {[]*x509.Certificate{cert(30*day, 29*day), cert(30*day, 2*day)}, "2026-06-03"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var s Status
			for _, c := range tt.shown {
				s.look(c, now)
			}
			if got := s.Warning(); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if s.Late != (len(s.notices()) == 1) {
				t.Errorf("notices %v", s.notices())
			}
		})
	}
}
