// SPDX-License-Identifier: Apache-2.0

package app

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/addon/lint"
	"clusterup.dev/clusterup/internal/hint"
)

// LintReport is what was checked and what was found.
type LintReport struct {
	Addons   []string       `json:"addons"`
	Findings []lint.Finding `json:"findings"`
}

// Failed reports whether anything found is an error.
func (r LintReport) Failed() bool {
	return slices.ContainsFunc(r.Findings, func(f lint.Finding) bool { return f.Level == lint.Error })
}

// Lint checks add-on folders without an environment. A dir is one add-on or a
// folder of them; none is the current folder's addons/. What they need may also
// be built in, in addons/ or in one of addonsDirs. With update the golden files
// are written instead of compared.
func Lint(dirs, addonsDirs []string, update bool) (LintReport, error) {
	report := LintReport{Addons: []string{}, Findings: []lint.Finding{}}
	if len(dirs) == 0 {
		dirs = []string{addonsDir}
	}
	known, err := sources(addonsDir, addonsDirs)
	if err != nil {
		return report, err
	}
	targets := []addon.Source{}
	for _, dir := range dirs {
		target, err := lintTarget(dir)
		if err != nil {
			return report, err
		}
		targets = append(targets, target)
	}
	for _, target := range targets {
		alone, err := addon.Find(target)
		if err != nil {
			return report, err
		}
		names := alone.Names()
		if len(names) == 0 {
			return report, hint.With(fmt.Errorf("%s holds no add-on folders", target.Name), "make one with `clusterup addon new NAME`")
		}
		catalog, err := addon.Find(slices.Concat(known, targets, []addon.Source{target})...)
		if err != nil {
			return report, err
		}
		for _, name := range names {
			report.Addons = append(report.Addons, filepath.Join(target.Name, name))
		}
		report.Findings = append(report.Findings, lint.Run(lint.Options{Catalog: catalog, Names: names, Hooks: sortedKeys(hooks()), Asks: askChecks(), Update: update})...)
	}
	slices.Sort(report.Addons)
	report.Addons = slices.Compact(report.Addons)
	slices.SortStableFunc(report.Findings, func(a, b lint.Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	report.Findings = slices.Compact(report.Findings)
	return report, nil
}

// lintTarget is what a folder that was typed stands for: an add-on, or all of those
// in it.
func lintTarget(dir string) (addon.Source, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return addon.Source{}, hint.With(fmt.Errorf("there is no folder %s", dir), "name an add-on folder, or a folder of them; `clusterup addon new NAME` makes one")
	case err != nil:
		return addon.Source{}, fmt.Errorf("looking for add-ons: %w", err)
	case !info.IsDir():
		return addon.Source{}, hint.With(fmt.Errorf("%s is not a folder", dir), "name the add-on's folder")
	}
	dir = filepath.Clean(dir)
	if _, err := os.Stat(filepath.Join(dir, "manifests")); !isAddon(dir) && err != nil {
		return addon.Source{Name: dir, FS: os.DirFS(dir)}, nil
	}
	whole, err := filepath.Abs(dir)
	if err != nil {
		return addon.Source{}, fmt.Errorf("looking for add-ons: %w", err)
	}
	above := filepath.Dir(dir)
	if base := filepath.Base(dir); base == "." || base == ".." {
		above = filepath.Join(dir, "..")
	}
	return addon.Source{Name: above, FS: os.DirFS(above), Only: filepath.Base(whole)}, nil
}
