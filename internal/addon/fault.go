// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

func fault(file string, line int, format string, args ...any) error {
	if line > 0 {
		file = fmt.Sprintf("%s:%d", file, line)
	}
	return fmt.Errorf("%s: %s", file, fmt.Sprintf(format, args...))
}

var (
	templatePlace = regexp.MustCompile(`(?s)^template: ([^:]+:\d+(?::\d+)?): (?:executing ".*?" at <.*?>: )?(.*)$`)
	callPrefix    = regexp.MustCompile(`^(?:error calling \w+: )+`)
	missingKey    = regexp.MustCompile(`map has no entry for key "(.*)"`)
)

// includeError is what went wrong in a template that another one includes; the
// innermost one says what.
type includeError struct{ where, text, hint string }

func (e *includeError) Error() string { return fmt.Sprintf("%s (%s)", e.text, e.where) }

// templateError gives an error of text/template the form of all others.
func templateError(err error) error {
	m := templatePlace.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	text, advice := callPrefix.ReplaceAllString(m[2], ""), hint.Of(err)
	var inner *includeError
	if errors.As(err, &inner) {
		text, advice = inner.Error(), inner.hint
	}
	return hint.With(fmt.Errorf("%s: %s", m[1], text), "%s", advice)
}

// included turns an error of ExecuteTemplate into an includeError.
func included(err error) error {
	var inner *includeError
	if errors.As(err, &inner) {
		return inner
	}
	m := templatePlace.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	return &includeError{where: m[1], text: callPrefix.ReplaceAllString(m[2], ""), hint: hint.Of(err)}
}

// missingHint is the hint for an error of text/template, or one that the values
// can give.
func missingHint(err error, values map[string]any) string {
	if advice := hint.Of(err); advice != "" {
		return advice
	}
	m := missingKey.FindStringSubmatch(err.Error())
	if m != nil && strings.Contains(err.Error(), "<.Values."+m[1]+">") {
		return suggest(m[1], values)
	}
	return ""
}
