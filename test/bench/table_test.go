// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// column is what is measured of a row.
type column int

const (
	first   column = iota // nothing is there yet
	again                 // nothing is to be done
	drifted               // one object has drifted
	columns
)

func (c column) String() string {
	return [columns]string{"first apply", "nothing to do", "one drifted"}[c]
}

// table is what was measured with one number of objects of one profile.
type table struct {
	profile  string
	size     int
	rows     []*row // in the order in which they came
	requests map[string]requests
}

type row struct {
	name   string
	values [columns][]float64 // seconds
	found  []float64          // of drifted: until the drift was known
	failed [columns]string
	peakKB int
}

func (t *table) row(name string) *row {
	for _, r := range t.rows {
		if r.name == name {
			return r
		}
	}
	t.rows = append(t.rows, &row{name: name})
	return t.rows[len(t.rows)-1]
}

func (t *table) add(name string, c column, r result) {
	row := t.row(name)
	row.values[c] = append(row.values[c], r.Seconds)
	if c == drifted && r.Found > 0 {
		row.found = append(row.found, r.Found)
	}
	row.peakKB = max(row.peakKB, r.PeakKB)
}

func (t *table) fail(name string, c column, why string) {
	t.row(name).failed[c] = strings.ReplaceAll(why, "|", "/")
}

func (t *table) failed(name string) bool { return t.look(name).failed != [columns]string{} }

// median is 0 where nothing was measured.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// ran tells whether a row took part.
func (t *table) ran(name string) bool {
	return slices.ContainsFunc(t.rows, func(r *row) bool { return r.name == name })
}

// look gives a row to read; an empty one where it did not take part.
func (t *table) look(name string) *row {
	if t.ran(name) {
		return t.row(name)
	}
	return &row{}
}

// peak is the most memory of a row in MB.
func (t *table) peak(name string) float64 { return float64(t.look(name).peakKB) * 1024 / 1e6 }

// seconds gives the median of a column; 0 where there is none.
func (t *table) seconds(name string, c column) float64 { return median(t.look(name).values[c]) }

// markdown is the table as it stands in docs/benchmarks.md.
func (t *table) markdown(out *strings.Builder) {
	fmt.Fprintf(out, "\n### %d objects, %s\n\n", t.size, t.profile)
	fmt.Fprintln(out, "| | first apply | × bare | nothing to do | × LIST | one drifted: found | put right | most memory |")
	fmt.Fprintln(out, "|---|---:|---:|---:|---:|---:|---:|---:|")
	bare, list := t.seconds(rowBare, first), t.seconds(rowMetadata, again)
	for _, r := range t.rows {
		found, right := text(median(r.found), ""), r.cell(drifted)
		if !appliesTo(r) {
			right = ""
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", r.name, r.cell(first), ratio(median(r.values[first]), bare),
			r.cell(again), ratio(median(r.values[again]), list), found, right, megabytes(r.peakKB))
	}
}

// appliesTo tells the rows of commands that change something.
func appliesTo(r *row) bool { return len(r.values[first]) > 0 || r.failed[first] != "" }

func (r *row) cell(c column) string { return text(median(r.values[c]), r.failed[c]) }

func text(seconds float64, failed string) string {
	switch {
	case failed != "":
		return failed
	case seconds == 0:
		return ""
	case seconds < 1:
		return fmt.Sprintf("%.3f s", seconds)
	}
	return fmt.Sprintf("%.2f s", seconds)
}

func ratio(a, b float64) string {
	if a == 0 || b == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", a/b)
}

func megabytes(kB int) string {
	if kB == 0 {
		return ""
	}
	return fmt.Sprintf("%d MB", kB*1024/1000000)
}
