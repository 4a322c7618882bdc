// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a tools folder with two small modules, and a cache of its own.
type fake struct {
	options
	catalog catalog
}

const program = `package main

func main() { println("hello") }
`

func newFake(t *testing.T) *fake {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("CLUSTERUP_CACHE", filepath.Join(dir, "cache"))
	f := &fake{options: options{tools: filepath.Join(dir, "tools"), link: filepath.Join(dir, "bin", "servers")}}
	for _, n := range []string{"one", "two"} {
		f.write(t, n+"/go.mod", "module example.test/"+n+"\n\ngo 1.26\n")
		f.write(t, n+"/main.go", program)
	}
	f.catalog = catalog{
		servers: []server{{name: "one", programs: []string{"one", "uno"}}, {name: "two", programs: []string{"two"}}},
		archives: func(_ context.Context, b builds, c cache, _ *host) []archive {
			base := layer{"base", users()}
			bin := layer{"one", []file{{path: "/bin/one", mode: 0o755, from: b["one"].binary(c), id: b["one"].id()}}}
			return []archive{{name: "images", servers: []string{"one"}, images: []image{
				{ref: "registry.example.test/one:v1", entrypoint: []string{"/bin/one"}, layers: []layer{base, bin}},
				{ref: "registry.example.test/uno:v1", layers: []layer{base, bin}},
			}}}
		},
	}
	return f
}

func (f *fake) write(t *testing.T, path, text string) {
	t.Helper()
	path = filepath.Join(f.tools, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (f *fake) prepare(t *testing.T) *job {
	t.Helper()
	j, err := prepare(t.Context(), f.options, f.catalog)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// run builds and returns the set's folder and what was said.
func (f *fake) run(t *testing.T) (set, said string) {
	t.Helper()
	var out bytes.Buffer
	set, err := f.prepare(t).make(t.Context(), &progress{out: &out, start: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return set, out.String()
}

func TestFirstRunMakesASet(t *testing.T) {
	f := newFake(t)
	set, said := f.run(t)
	for _, want := range []string{
		"building one (1 of 3, ", "packing images (2 of 3, ", "building two (3 of 3, ",
		"servers ready: 2 built, 0 cached, ",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the run did not say %q:\n%s", want, said)
		}
	}
	if now, err := os.Readlink(f.link); err != nil || now != set {
		t.Errorf("the link points at %q, %v", now, err)
	}
	for _, file := range []string{"bin/one", "bin/uno", "bin/two", "images.tar", "set.json"} {
		if _, err := os.Stat(filepath.Join(set, file)); err != nil {
			t.Error(err)
		}
	}
}

// The second run finds a go of the same version that can do nothing, so it
// succeeds only if it runs none.
func TestSecondRunBuildsNothing(t *testing.T) {
	f := newFake(t)
	first, _ := f.run(t)
	compiler, err := findToolchain(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.write(t, "goroot/VERSION", compiler.version+"\n")
	f.write(t, "goroot/bin/go", "#!/bin/sh\nexit 1\n")
	if err := os.Chmod(filepath.Join(f.tools, "goroot/bin/go"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Join(f.tools, "goroot/bin"))
	second, said := f.run(t)
	if first != second {
		t.Errorf("the set moved from %s to %s", first, second)
	}
	if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "servers ready: 0 built, 2 cached, ") {
		t.Errorf("a run with nothing to do said %q", said)
	}
}

func TestOnlyBuildsWhatIsNamed(t *testing.T) {
	f := newFake(t)
	f.only = map[string]bool{"images": true}
	set, said := f.run(t)
	if !strings.Contains(said, "servers ready: 1 built, 0 cached, ") {
		t.Errorf("said %q", said)
	}
	if _, err := os.Stat(filepath.Join(set, "images.tar")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(set, "bin", "two")); !os.IsNotExist(err) {
		t.Errorf("two was not asked for: %v", err)
	}
	f.only = map[string]bool{"tow": true}
	if _, err := prepare(t.Context(), f.options, f.catalog); err == nil || !strings.Contains(hintOf(err), "two") {
		t.Errorf("a misspelt name: %v, hint %q", err, hintOf(err))
	}
}

func TestTwoRunsAtOnceBuildOnce(t *testing.T) {
	f := newFake(t)
	var built int
	var mu sync.Mutex
	var wg sync.WaitGroup
	jobs := []*job{f.prepare(t), f.prepare(t)}
	for _, j := range jobs {
		wg.Go(func() {
			var out bytes.Buffer
			if _, err := j.make(t.Context(), &progress{out: &out, start: time.Now()}); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			built += strings.Count(out.String(), "building ")
		})
	}
	wg.Wait()
	if built != 2 {
		t.Errorf("%d builds of two servers", built)
	}
}
