// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func (f *fake) hash(t *testing.T) string {
	t.Helper()
	return f.prepare(t).servers[0].hash
}

func TestHashFollowsWhatIsBuilt(t *testing.T) {
	f := newFake(t)
	before := f.hash(t)
	if again := f.hash(t); again != before {
		t.Errorf("the hash of the same files went from %s to %s", before, again)
	}
	f.write(t, "one/main_test.go", "package main\n")
	f.write(t, "one/testdata/x", "x")
	f.write(t, "two/main.go", program+"// another module\n")
	if now := f.hash(t); now != before {
		t.Error("the hash changed with files that are not built")
	}

	seen := map[string]string{before: "nothing"}
	changed := func(what string) {
		t.Helper()
		now := f.hash(t)
		if other, ok := seen[now]; ok {
			t.Errorf("after changing %s the hash is that after changing %s", what, other)
		}
		seen[now] = what
	}
	f.write(t, "one/main.go", program+"// more\n")
	changed("a file")
	f.write(t, "one/more.go", "package main\n")
	changed("the list of files")
	f.catalog.servers[0].ldflags = "-X main.version=1"
	changed("the flags")
	t.Setenv("GOEXPERIMENT", "nocoverageredesign")
	changed("the environment")
}

func TestDigestKeepsPartsApart(t *testing.T) {
	if digest("ab", "c") == digest("a", "bc") || digest("a", "") == digest("a") {
		t.Error("two different lists have one digest")
	}
}

func TestVersionReachesTheFlags(t *testing.T) {
	f := newFake(t)
	f.write(t, "one/go.mod", "module example.test/one\n\ngo 1.26\n\nrequire example.test/dep v1.36.3\n")
	s := server{name: "one", module: "example.test/dep", programs: []string{"one"}}
	b, err := resolve(s, f.tools, toolchain{version: "go1.26"})
	if err != nil || b.version != "v1.36.3" {
		t.Errorf("version %q, %v", b.version, err)
	}
	s.module = "example.test/other"
	if _, err := resolve(s, f.tools, toolchain{}); err == nil || !strings.Contains(err.Error(), "does not require") {
		t.Errorf("a module that is not required: %v", err)
	}
}
