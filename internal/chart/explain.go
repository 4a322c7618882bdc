// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

var (
	located   = regexp.MustCompile(`(?s)^(?:parse|execution) error (?:at|in) \((.+?)\): (.*)$`)
	location  = regexp.MustCompile(`^\S+:\d+(?::\d+)?$`)
	called    = regexp.MustCompile(`^(?:error calling \w+: ?)+`)
	nilValues = regexp.MustCompile(`nil pointer evaluating interface \{\}\.(\w+)`)
)

// explain gives an error of Helm's engine the form of all others: one line, the
// file of the folder first, and the template in which it went wrong behind it.
func (c *loaded) explain(err error) error {
	said, text, first, last := c.said(err), "", "", ""
	if m := located.FindStringSubmatch(said); m != nil {
		first, text = m[1], m[2]
	} else {
		for line := range strings.Lines(said) {
			switch line = strings.TrimSpace(line); {
			case line == "" || strings.HasPrefix(line, "executing "):
			case location.MatchString(line):
				if last = line; first == "" {
					first = line
				}
			default:
				text = line
			}
		}
	}
	text = called.ReplaceAllString(c.places(text), "")
	if last != "" && last != first {
		text += " (" + c.place(last) + ")"
	}
	if first == "" {
		return fmt.Errorf("%s: %s", c.dir, oneLine(errors.New(text)))
	}
	wrong := fmt.Errorf("%s: %s", c.place(first), oneLine(errors.New(text)))
	if m := nilValues.FindStringSubmatch(text); m != nil {
		return hint.With(wrong, "the values lack what holds %s", m[1])
	}
	return wrong
}

// place turns Helm's name of a template into the file of the folder.
func (c *loaded) place(name string) string {
	longest := ""
	for full := range c.dirs {
		if strings.HasPrefix(name, full+"/") && len(full) > len(longest) {
			longest = full
		}
	}
	if longest == "" {
		return name
	}
	return c.dirs[longest] + strings.TrimPrefix(name, longest)
}

var inText = regexp.MustCompile(`[\w.-]+(?:/[\w.-]+)*/(?:templates|crds)/[\w./-]+`)

// places does the same for all names in a text.
func (c *loaded) places(text string) string { return inText.ReplaceAllStringFunc(text, c.place) }

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
