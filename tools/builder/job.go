// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// make builds what is wanted and missing, one thing at a time, because one
// compiler already uses the whole machine. It returns the set's folder.
func (j *job) make(ctx context.Context, p *progress) (string, error) {
	steps := j.steps()
	for _, a := range steps {
		if !j.cache.has(a) {
			p.todo++
		}
	}
	made := 0
	for _, a := range steps {
		done, err := j.cache.ensure(ctx, a, func(doing string) { p.say(doing, a.name) })
		if err != nil {
			return "", err
		}
		if done && slices.ContainsFunc(j.servers, func(s built) bool { return s.artifact.name == a.name }) {
			made++
		}
	}
	servers := slices.DeleteFunc(slices.Clone(j.servers), func(s built) bool { return !j.cache.has(s.artifact) })
	packed := slices.DeleteFunc(slices.Clone(j.archives), func(a archive) bool { return !j.cache.has(a.artifact()) })
	set := makeSet(j.cache, servers, packed)
	if _, err := j.cache.ensure(ctx, set, func(string) {}); err != nil {
		return "", err
	}
	path := j.cache.path(set)
	if j.link != "" {
		if err := pointAt(j.link, path); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(p.out, "servers ready: %d built, %d cached, %s\n", made, len(servers)-made, p.sofar())
	return path, nil
}

// steps are the wanted artifacts in order. An archive comes right after the
// last server that goes into it; asking for one asks for those servers.
func (j *job) steps() []artifact {
	var steps []artifact
	for i, s := range j.servers {
		name := s.artifact.name
		goesInto := func(a archive) bool { return j.wants(a.name) && slices.Contains(a.servers, name) }
		if j.wants(name) || slices.ContainsFunc(j.archives, goesInto) {
			steps = append(steps, s.artifact)
		}
		for _, a := range j.archives {
			later := func(s built) bool { return slices.Contains(a.servers, s.artifact.name) }
			if goesInto(a) && !slices.ContainsFunc(j.servers[i+1:], later) {
				steps = append(steps, a.artifact())
			}
		}
	}
	return steps
}

// print lists everything with its version and where it is kept.
func (j *job) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(a artifact, version string) {
		state := "absent"
		if j.cache.has(a) {
			state = j.cache.path(a)
		}
		if version == "" {
			version = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", a.name, version, state)
	}
	for _, s := range j.servers {
		row(s.artifact, s.version)
	}
	for _, a := range j.archives {
		row(a.artifact(), "")
	}
	return table.Flush()
}

// progress writes one line at the start of each thing that takes time.
type progress struct {
	out   io.Writer
	start time.Time
	todo  int
	begun int
	now   string // a thing waited for and then made counts once
}

func (p *progress) say(doing, name string) {
	if p.now != name {
		p.now = name
		p.begun++
	}
	fmt.Fprintf(p.out, "%s %s (%d of %d, %s so far)\n", doing, name, p.begun, p.todo, p.sofar())
}

func (p *progress) sofar() time.Duration {
	d := time.Since(p.start)
	if d > time.Second {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}
