// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"bytes"
	"errors"
	"sort"
	"strings"
	"text/template"
	"text/template/parse"
)

// tracker collects what a template renders and remembers which line of which
// template gave it. text/template writes the text between actions as the very
// slices of its parse tree, so that their addresses tell where they stand;
// what an action writes belongs to the line where the text before it ends.
type tracker struct {
	limited
	texts map[*byte]place
	marks []mark
	now   place
}

type place struct {
	file string
	line int
}

// mark says where the output from offset on comes from. In text the lines go on
// counting; in what an action wrote they do not.
type mark struct {
	offset int
	place
	text bool
}

func newTracker(name string, templates *template.Template, sources map[string]string) *tracker {
	t := &tracker{texts: make(map[*byte]place), now: place{name, 1}}
	t.Buffer = new(bytes.Buffer)
	for _, tmpl := range templates.Templates() {
		if tmpl.Tree != nil && tmpl.Root != nil {
			t.index(tmpl.Root, tmpl.ParseName, &lines{source: sources[tmpl.ParseName]})
		}
	}
	return t
}

// untracked holds text that no template of the folder gave: its lines are those
// of the file, or nothing is known of them and line is 0.
func untracked(file string, line int, text []byte) *tracker {
	t := &tracker{now: place{file, line}}
	t.Buffer = bytes.NewBuffer(text)
	t.marks = []mark{{place: t.now, text: line > 0}}
	return t
}

func (t *tracker) index(list *parse.ListNode, file string, source *lines) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.TextNode:
			if at := int(node.Pos); len(node.Text) > 0 && at <= len(source.source) {
				t.texts[&node.Text[0]] = place{file, source.line(at)}
			}
		case *parse.IfNode:
			t.index(node.List, file, source)
			t.index(node.ElseList, file, source)
		case *parse.RangeNode:
			t.index(node.List, file, source)
			t.index(node.ElseList, file, source)
		case *parse.WithNode:
			t.index(node.List, file, source)
			t.index(node.ElseList, file, source)
		}
	}
}

// lines counts the lines of a source. It goes on from where it was asked last, so that
// asking in order costs one pass.
type lines struct {
	source string
	at     int
	breaks int
}

func (l *lines) line(at int) int {
	if at < l.at {
		l.at, l.breaks = 0, 0
	}
	l.breaks += strings.Count(l.source[l.at:at], "\n")
	l.at = at
	return 1 + l.breaks
}

func (t *tracker) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	start, isText := t.texts[&p[0]]
	if isText {
		t.now = start
	}
	t.marks = append(t.marks, mark{offset: t.Len(), place: t.now, text: isText})
	if isText {
		t.now.line += bytes.Count(p, []byte("\n"))
	}
	return t.limited.Write(p)
}

// here is where the template had got to.
func (t *tracker) here() (file string, line int) { return t.now.file, t.now.line }

// at says which line of which template gave the output at offset.
func (t *tracker) at(offset int) (file string, line int) {
	i := sort.Search(len(t.marks), func(i int) bool { return t.marks[i].offset > offset }) - 1
	if i < 0 {
		return t.now.file, 1
	}
	m := t.marks[i]
	if m.text {
		m.line += bytes.Count(t.Bytes()[m.offset:offset], []byte("\n"))
	}
	return m.file, m.line
}

// limited is a buffer that refuses what no manifest can mean: endless output,
// and the text that text/template prints for a null.
type limited struct{ *bytes.Buffer }

const maxRendered = 64 << 20

var (
	errTooLong = errors.New("renders more than 64 MiB")
	errNoValue = errors.New("a value is null and would be printed as " + noValue)
)

// noValue is what text/template prints for nil.
const noValue = "<no value>"

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxRendered {
		return 0, errTooLong
	}
	if string(p) == noValue {
		return 0, errNoValue
	}
	return l.Buffer.Write(p)
}
