// SPDX-License-Identifier: Apache-2.0

// Package lint checks add-on folders offline: everything about them that can be
// known without a cluster, under many values, with the places in the folder.
package lint

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/hint"
)

// Options are what to check, and by what.
type Options struct {
	Catalog *addon.Catalog // every add-on that there is
	Names   []string       // those to check
	Hooks   []string       // all the hooks that the program has
	// Asks check what an add-on asks of another one, by that one's name.
	Asks   map[string]func(a *addon.Addon, ask map[string]any) error
	Update bool // write the golden files anew instead of comparing
}

// Finding is one thing that is wrong, at its place in a folder.
type Finding struct {
	Addon   string `json:"addon"`
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Level   string `json:"level"` // "error" or "warning"
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// The levels of findings: errors are refused sooner or later, warnings are not.
const (
	Error   = "error"
	Warning = "warning"
)

// Where is "file:line:column", as far as they are known.
func (f Finding) Where() string {
	where := f.File
	for _, n := range []int{f.Line, f.Column} {
		if n == 0 {
			break
		}
		where += ":" + strconv.Itoa(n)
	}
	return where
}

// Run checks the add-ons and gives what it finds, sorted by place, each once.
func Run(o Options) []Finding {
	l := &linter{Options: o, seen: map[string]bool{}, rendered: map[string]rendered{}}
	for _, name := range o.Names {
		l.addon(name)
	}
	l.circles()
	slices.SortFunc(l.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return l.findings
}

type linter struct {
	Options
	findings []Finding
	seen     map[string]bool // findings that are there, whatever the values
	rendered map[string]rendered

	name string // the add-on that is being checked
	with string // the values that it is rendered with: " (with values {replicas: 1})"
}

// addon checks one folder.
func (l *linter) addon(name string) {
	l.name, l.with = name, ""
	a, err := l.Catalog.Get(name)
	if err != nil {
		l.report(err)
		return
	}
	l.needs(a)
	l.hooks(a)
	cases := l.cases(a)
	all, whole := []addon.Object{}, true
	for _, v := range l.variations(a, cases) {
		l.with = v.with()
		if _, err := a.Specs(environment, v.values); v.guessed && err != nil {
			continue // a guess need not be a name or an address
		}
		objects, ok := l.render(a, v.values)
		whole = whole && ok
		if !v.guessed {
			l.objects(a, objects)
		}
		all = append(all, objects...)
	}
	l.with = ""
	if whole {
		l.patterns(a, all)
		l.golden(a, cases)
	}
	l.duplicates(a)
}

// report adds what an error says; of joined ones, each.
func (l *linter) report(err error) { l.add(Error, err) }

// warn adds something that works and should not be so.
func (l *linter) warn(err error) { l.add(Warning, err) }

func (l *linter) add(level string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			l.add(level, e)
		}
		return
	}
	f := Finding{Addon: l.name, Level: level, Message: strings.ReplaceAll(err.Error(), "\n", "; "), Hint: hint.Of(err)}
	if m := place.FindStringSubmatch(f.Message); m != nil {
		f.File, f.Message = m[1], m[4]
		f.Line, _ = strconv.Atoi(m[2])
		f.Column, _ = strconv.Atoi(m[3])
	} else if file, rest, ok := strings.Cut(f.Message, ": "); ok && !strings.Contains(file, " ") {
		f.File, f.Message = file, rest
	}
	key := fmt.Sprint(f.Where(), f.Message)
	if l.seen[key] {
		return // with other values, which are simpler
	}
	l.seen[key] = true
	f.Message += l.with
	l.findings = append(l.findings, f)
}

var place = regexp.MustCompile(`(?s)^([^:]+):(\d+)(?::(\d+))?: (.*)$`)
