// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// settings are what is measured: from the environment, see hack/bench.sh.
type settings struct {
	profiles []string
	tools    []string // the short names of those that take part; none means all
	sizes    []int
	rounds   int
	limit    time.Duration // of one run of a tool
	kubectl  int           // up to how many objects kubectl is measured
	helm     string        // the program of the module helm; "" for none
	table    string        // file that the table is written to; "" for the test's log
	gate     bool          // a goal that is missed is a failure
}

func readSettings(t *testing.T) settings {
	t.Helper()
	s := settings{
		profiles: strings.Fields(variable("PROFILES", "configmaps mixed")),
		tools:    strings.Fields(os.Getenv("TOOLS")),
		rounds:   number(t, variable("ROUNDS", "1")),
		limit:    time.Duration(number(t, variable("LIMIT", "600"))) * time.Second,
		helm:     os.Getenv("BENCH_HELM"),
		table:    os.Getenv("BENCH_TABLE"),
		gate:     os.Getenv("GATE") == "1",
	}
	for _, size := range strings.Fields(variable("SIZES", "100")) {
		s.sizes = append(s.sizes, number(t, size))
	}
	for _, profile := range s.profiles {
		if profiles()[profile] == nil {
			t.Fatalf("PROFILES: there is no profile %q", profile)
		}
	}
	switch kubectl := variable("KUBECTL", "none"); kubectl {
	case "none":
	case "all":
		s.kubectl = 1 << 30
	default:
		s.kubectl = number(t, kubectl)
	}
	return s
}

func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%q is not a number above zero", text)
	}
	return n
}
