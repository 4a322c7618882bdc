// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/environment"
	"clusterup.dev/clusterup/internal/hint"
)

// AddonRow is one line of the list of add-ons.
type AddonRow struct {
	Name        string   `json:"name"`
	Version     string   `json:"version,omitempty"`
	Description string   `json:"description,omitempty"`
	Needs       []string `json:"needs,omitempty"`
	Source      string   `json:"source,omitempty"`   // "built-in" or a folder
	Replaces    []string `json:"replaces,omitempty"` // sources that have it, too, and do not count
	Used        *bool    `json:"used,omitempty"`     // by the environment that was asked about
	Error       string   `json:"error,omitempty"`    // why it cannot be used
}

// ListAddons lists every add-on that there is: for an environment those that it
// can use, else those of the current folder. The error joins what is wrong with
// single ones; the rows are there all the same.
func ListAddons(name string, dirs []string) ([]AddonRow, error) {
	var env *environment.Environment
	beside := addonsDir
	if name != "" {
		var err error
		if env, err = environment.Load(name, environmentsDir); err != nil {
			return nil, err
		}
		beside = besideFile(env)
	}
	catalog, err := catalog(beside, dirs)
	if err != nil {
		return nil, err
	}
	rows, errs := []AddonRow{}, []error{}
	for _, l := range catalog.List() {
		rows = append(rows, row(l))
		errs = append(errs, l.Err)
	}
	if env != nil {
		errs = append(errs, markUsed(env, catalog, rows)...)
	}
	return rows, errors.Join(errs...)
}

func row(l addon.Listed) AddonRow {
	r := AddonRow{Name: l.Name, Source: l.Source, Replaces: l.Replaces}
	if l.Err != nil {
		r.Error = l.Err.Error()
		return r
	}
	r.Version, r.Description, r.Needs = l.Addon.Version, l.Addon.Description, l.Addon.Needs
	return r
}

// markUsed says of each row whether the environment uses it, and gives the
// errors about add-ons that it lists and that do not exist.
func markUsed(env *environment.Environment, catalog *addon.Catalog, rows []AddonRow) []error {
	var errs []error
	used := map[string]bool{}
	for i, ref := range env.Spec.Addons {
		used[ref.Name] = true
		known := slices.ContainsFunc(rows, func(r AddonRow) bool { return r.Name == ref.Name })
		if _, err := catalog.Get(ref.Name); !known {
			err = hint.With(env.Errorf([]any{"spec", "addons", i, "name"}, "%v", err), "%s", hint.Of(err))
			errs = append(errs, err)
		}
	}
	for i := range rows {
		is := used[rows[i].Name]
		rows[i].Used = &is
	}
	return errs
}

// AddonTable is the list as rows of columns, for people.
func AddonTable(rows []AddonRow) [][]string {
	head := []string{"NAME", "VERSION", "NEEDS", "FROM", "DESCRIPTION"}
	withUse := len(rows) > 0 && rows[0].Used != nil
	if withUse {
		head = slices.Insert(head, 1, "USED")
	}
	table := [][]string{head}
	for _, r := range rows {
		from := r.Source
		if len(r.Replaces) > 0 {
			from += " (replaces " + strings.Join(r.Replaces, ", ") + ")"
		}
		line := []string{r.Name, orDash(r.Version), orDash(strings.Join(r.Needs, ", ")), from, r.Description}
		if r.Error != "" {
			line[4] = "cannot be loaded, see below"
		}
		if withUse {
			line = slices.Insert(line, 1, map[bool]string{true: "yes", false: "-"}[*r.Used])
		}
		table = append(table, line)
	}
	return table
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
