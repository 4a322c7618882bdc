// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type options struct {
	tools string
	link  string
	list  bool
	only  map[string]bool // nil is everything
}

func (o *options) setOnly(names string) error {
	o.only = map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		o.only[strings.TrimSpace(name)] = true
	}
	return nil
}

func (o options) wants(name string) bool { return o.only == nil || o.only[name] }

// job is one run: everything that can be made, by its hash.
type job struct {
	options
	cache    cache
	servers  []built
	archives []archive
}

// run prints the set's folder to stdout and everything else to stderr.
func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	start := time.Now()
	j, err := prepare(ctx, o, local())
	if err != nil {
		return err
	}
	if o.list {
		return j.print(stdout)
	}
	set, err := j.make(ctx, &progress{out: stderr, start: start})
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, set)
	return nil
}

// prepare hashes everything. Archives that this machine cannot make are left
// out when nobody asked for them by name.
func prepare(ctx context.Context, o options, all catalog) (*job, error) {
	c, err := defaultCache()
	if err != nil {
		return nil, err
	}
	if o.tools == "" {
		if o.tools, err = findTools(); err != nil {
			return nil, err
		}
	}
	t, err := findToolchain(ctx)
	if err != nil {
		return nil, err
	}
	j := &job{options: o, cache: c}
	byName := builds{}
	for _, s := range all.servers {
		if !o.only[s.name] && s.skip != nil && s.skip(ctx) {
			continue
		}
		b, err := resolve(s, o.tools, t)
		if err != nil {
			return nil, err
		}
		j.servers = append(j.servers, b)
		byName[s.name] = b
	}
	h := &host{}
	j.archives = all.archives(ctx, byName, c, h)
	if h.err != nil {
		if slices.ContainsFunc(j.archives, func(a archive) bool { return o.wants(a.name) }) {
			return nil, h.err
		}
		j.archives = nil
	}
	return j, j.checkNames()
}

func (j *job) checkNames() error {
	known := map[string]bool{}
	for _, s := range j.servers {
		known[s.artifact.name] = true
	}
	for _, a := range j.archives {
		known[a.name] = true
	}
	for name := range j.only {
		if !known[name] {
			return withHint(fmt.Errorf("--only: nothing is called %q", name),
				"there are %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
	}
	return nil
}

// findTools looks for the folder of modules from here upwards.
func findTools() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "tools", "builder", "go.mod")); err == nil {
			return filepath.Join(dir, "tools"), nil
		}
		if dir == filepath.Dir(dir) {
			return "", withHint(errors.New("no tools folder here or above"), "run it in the checkout or name the folder with --tools")
		}
	}
}
