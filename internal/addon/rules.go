// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"regexp"
	"time"

	"clusterup.dev/clusterup/internal/fieldpath"
	"clusterup.dev/clusterup/internal/hint"
)

const defaultTimeout = 5 * time.Minute

func (a *Addon) checkReady() error {
	var errs []error
	a.Ready.Timeout = defaultTimeout
	if err := a.duration(&a.Ready.Timeout, a.Ready.Within, "ready", "timeout"); err != nil {
		errs = append(errs, err)
	}
	for i, skip := range a.Ready.Skip {
		if err := a.checkPattern(skip, "ready", "skip", i); err != nil {
			errs = append(errs, err)
		}
	}
	for i := range a.Ready.Objects {
		o := &a.Ready.Objects[i]
		if err := a.checkPattern(o.Object, "ready", "objects", i, "object"); err != nil {
			errs = append(errs, err)
		}
		if err := a.duration(&o.Timeout, o.Within, "ready", "objects", i, "timeout"); err != nil {
			errs = append(errs, err)
		}
		if err := a.checkPath(o.Field, "ready", "objects", i, "field"); o.Field != "" && err != nil {
			errs = append(errs, err)
		}
		if (o.Field == "") != (o.Is == "") {
			errs = append(errs, hint.With(a.errorf(field("ready", "objects", i), "field and is belong together"), "write field: status.phase and is: Ready, or neither"))
		}
	}
	return errors.Join(errs...)
}

// duration reads text into d; an empty text leaves it as it is.
func (a *Addon) duration(d *time.Duration, text string, at ...any) error {
	if text == "" {
		return nil
	}
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed <= 0 {
		return hint.With(a.errorf(at, "%q is not a time to wait", text), `write it like "90s" or "5m"`)
	}
	*d = parsed
	return nil
}

// checkRules checks how objects are to be treated.
func (a *Addon) checkRules() error {
	var errs []error
	for i, pattern := range a.Replace {
		if err := a.checkPattern(pattern, "replace", i); err != nil {
			errs = append(errs, err)
		}
	}
	for i, pattern := range a.Protect {
		if err := a.checkPattern(pattern, "protect", i); err != nil {
			errs = append(errs, err)
		}
	}
	for i, ignore := range a.Ignore {
		if err := a.checkPattern(ignore.Object, "ignore", i, "object"); err != nil {
			errs = append(errs, err)
		}
		if len(ignore.Fields) == 0 {
			errs = append(errs, a.errorf(field("ignore", i), "%s: no fields to ignore", ignore.Object))
		}
		for j, path := range ignore.Fields {
			if err := a.checkIgnored(path, "ignore", i, "fields", j); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

var objectPattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*(/[a-z0-9]([-a-z0-9.:]*[a-z0-9])?)?$`)

func (a *Addon) checkPattern(pattern string, at ...any) error {
	if objectPattern.MatchString(pattern) {
		return nil
	}
	return hint.With(a.errorf(at, "%q names no object", pattern), `write kind and name, or the kind for all of it: "Job/migrate" or "Job"`)
}

func (a *Addon) checkPath(path string, at ...any) error {
	_, err := a.parsePath(path, at)
	return err
}

// checkIgnored checks a field that is left to others.
func (a *Addon) checkIgnored(path string, at ...any) error {
	parsed, err := a.parsePath(path, at)
	if err == nil && parsed.Identifies() {
		return a.errorf(at, "%s cannot be ignored: the object is known by it", path)
	}
	return err
}

func (a *Addon) parsePath(path string, at []any) (fieldpath.Path, error) {
	parsed, err := fieldpath.Parse(path)
	if err != nil {
		return nil, hint.With(a.errorf(at, "%v", err), "%s", hint.Of(err))
	}
	return parsed, nil
}
