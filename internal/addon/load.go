// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// Load reads and checks the add-on folder that files is the root of. dir is how
// errors name the folder; its last element is the name that the add-on must have.
// What is wrong in several places is joined.
func Load(files fs.FS, dir string) (*Addon, error) {
	data, err := fs.ReadFile(files, MetadataFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.With(fmt.Errorf("%s: has no %s", dir, MetadataFile), "every folder beside add-ons is one: docs/addons.md says what belongs into it")
	}
	if err != nil {
		return nil, fmt.Errorf("reading add-on %s: %w", dir, err)
	}
	a := &Addon{Dir: dir, files: files, asked: make(map[string]map[string]any)}
	if err := a.decode(data); err != nil {
		return nil, err
	}
	if a.Namespace == "" {
		a.Namespace = a.Name
	}
	a.Values, _ = normalise(a.Values).(map[string]any)
	for i := range a.Hooks {
		a.Hooks[i].With, _ = normalise(a.Hooks[i].With).(map[string]any)
	}
	for owner, ask := range a.asked {
		a.asked[owner], _ = normalise(ask).(map[string]any)
	}
	a.Needs = slices.Concat(a.Needs, a.Uses)
	a.schema, err = loadSchema(files, dir)
	if err := errors.Join(a.check(), err); err != nil {
		return nil, err
	}
	return a, nil
}

var (
	dnsLabel   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	notInNames = regexp.MustCompile(`[^a-z0-9]+`)
	hookName   = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$`)
)

func (a *Addon) check() error {
	wrongName := CheckName(a.Name)
	folder := a.Dir[strings.LastIndex(a.Dir, "/")+1:]
	switch {
	case a.APIVersion != APIVersion:
		return hint.With(a.errorf(field("apiVersion"), "apiVersion is %q", a.APIVersion), "this program reads %s", APIVersion)
	case a.Kind != Kind:
		return hint.With(a.errorf(field("kind"), "kind is %q", a.Kind), "it has to be %s", Kind)
	case wrongName != nil:
		return hint.With(a.errorf(field("name"), "%v", wrongName), "%s", hint.Of(wrongName))
	case a.Name != folder:
		return hint.With(a.errorf(field("name"), "the add-on is named %s and its folder %s", a.Name, folder), "give both the same name")
	case a.Version == "":
		return a.errorf(field("version"), "version is missing")
	case !dnsLabel.MatchString(a.Namespace):
		return a.errorf(field("namespace"), "%q cannot name a namespace", a.Namespace)
	}
	return errors.Join(a.checkNeeds(), a.checkImages(), a.checkTokens(), a.checkReady(), a.checkRules(), a.checkHooks(), a.checkUpstream())
}

// CheckName refuses what cannot name an add-on.
func CheckName(name string) error {
	switch {
	case !dnsLabel.MatchString(name):
		advice := "small letters, digits and hyphens, at most 63"
		if better := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-"); dnsLabel.MatchString(better) {
			advice += ", such as " + better
		}
		return hint.With(fmt.Errorf("%q cannot name an add-on", name), "%s", advice)
	case name == Environment:
		return fmt.Errorf("%s is where the environment's own tokens are and cannot name an add-on", name)
	case isField(name):
		return fmt.Errorf("%s is the name of a field and cannot name an add-on", name)
	}
	return nil
}

func (a *Addon) checkNeeds() error {
	var errs []error
	seen := make(map[string]bool)
	for i, need := range a.Needs {
		at := a.NeedPath(i)
		switch {
		case need == a.Name:
			errs = append(errs, a.errorf(at, "%s needs itself", a.Name))
		case seen[need]:
			errs = append(errs, a.errorf(at, "%s is needed twice", need))
		case !dnsLabel.MatchString(need):
			errs = append(errs, a.errorf(at, "%q cannot name an add-on", need))
		}
		seen[need] = true
	}
	return errors.Join(errs...)
}

// NeedPath leads to the ith of Needs in addon.yaml, which stands there under uses if
// the add-on can do without.
func (a *Addon) NeedPath(i int) []any {
	if own := len(a.Needs) - len(a.Uses); i >= own {
		return field("uses", i-own)
	}
	return field("needs", i)
}

func (a *Addon) checkHooks() error {
	var errs []error
	for i, hook := range a.Hooks {
		if !hookName.MatchString(hook.Use) {
			errs = append(errs, a.errorf(field("hooks", i, "use"), "%q cannot name a hook", hook.Use))
		}
	}
	return errors.Join(errs...)
}
