// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/testservers"
)

// A real CoreDNS takes the block up while it runs, answers the domain with what a
// server behind the address says and for at least one more query, keeps its other
// names, and gives the domain up when the block goes.
func TestRealCoreDNS(t *testing.T) {
	t.Parallel()
	program := testservers.Bin(t, "coredns")
	dir := t.TempDir()
	upstream, front, health := testservers.Port(t), testservers.Port(t), testservers.Port(t)
	run := func(name, text string, ready func(context.Context) error) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		testservers.Start(t, testservers.Program{Name: name, Path: program, Args: []string{"-conf", path}, Ready: ready})
		return path
	}
	run("upstream", fmt.Sprintf("consul:%d {\n hosts {\n  10.1.2.3 consul.service.consul\n }\n}\n", upstream), nil)
	mine := fmt.Sprintf(".:%d {\n hosts {\n  10.9.9.9 other.example\n }\n reload 2s 1s\n health 127.0.0.1:%d\n}\n", front, health)
	path := run("front", mine, testservers.Answers(fmt.Sprintf("http://127.0.0.1:%d/health", health)))

	f := &fake{text: mine, address: fmt.Sprintf("127.0.0.1:%d", upstream), servers: map[string]string{"coredns-1": fmt.Sprintf("127.0.0.1:%d", front)}}
	d := f.dns()
	apply := func(d *DNS) {
		t.Helper()
		plan, err := d.Step().Plan(t.Context())
		if err == nil {
			err = d.Step().Apply(t.Context(), plan)
		}
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(f.text, "consul:53 {", fmt.Sprintf("consul:%d {", front), 1) // the port of DNS is this machine's
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	until := func(what string, holds func(Status) bool) {
		t.Helper()
		start := time.Now()
		err := converge.Until(t.Context(), what, 30*time.Second, func(ctx context.Context) (bool, string, error) {
			s, err := d.Status(ctx)
			return holds(s), strings.Join(s.Silent, "; "), err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s after %s", what, time.Since(start).Round(10*time.Millisecond))
	}
	if s, err := d.Status(t.Context()); err != nil || s.Whole() || s.Block || len(s.Silent) != 1 {
		t.Errorf("before: %+v, %v", s, err)
	}
	apply(d)
	until("an answer", Status.Whole)
	other := f.dns(func(c *Config) { c.Probe = "other.example" })
	if s, err := other.Status(t.Context()); err != nil || !s.Whole() {
		t.Errorf("another name: %+v, %v", s, err)
	}
	none := f.dns(func(c *Config) { c.Probe = "none.service.consul" })
	if s, err := none.Status(t.Context()); err != nil || s.Whole() || !strings.HasSuffix(strings.Join(s.Silent, ""), "ServerFailure") { // as hosts says it
		t.Errorf("a name that is not there: %+v, %v", s, err)
	}
	apply(f.dns(unwanted))
	until("no answer", func(s Status) bool { return s.Servers == 1 && s.Answering == 0 && !s.Block })
}

// One that does not answer is named, within the time of one question.
func TestSilent(t *testing.T) {
	t.Parallel()
	f := &fake{text: dns().block("10.96.0.20"), servers: map[string]string{"coredns-1": fmt.Sprintf("127.0.0.1:%d", testservers.Port(t))}, written: time.Now()}
	s, err := f.dns().Status(t.Context())
	if err != nil || s.Whole() || len(s.Silent) != 1 || !strings.HasPrefix(s.Silent[0], "coredns-1: ") || !s.Loading() {
		t.Errorf("%+v, %v", s, err)
	}
	f.written = time.Now().Add(-longestLoad)
	if s, err := f.dns().Status(t.Context()); err != nil || s.Loading() {
		t.Errorf("long after: %+v, %v", s, err)
	}
	f.outcomes = errors.New("no API server")
	if _, err := f.dns().Status(t.Context()); err == nil {
		t.Error("no API server is no error")
	}
}
