// SPDX-License-Identifier: Apache-2.0

package fieldpath

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

var (
	keyedItem = regexp.MustCompile(`^[A-Za-z]\w*=`)
	indexItem = regexp.MustCompile(`^(0|[1-9][0-9]{0,5})\]`)
)

// Parse reads a path. With an error it gives the steps before what it cannot read.
func Parse(text string) (Path, error) {
	if text == "" {
		return nil, errors.New("the path of a field is empty")
	}
	var path Path
	for rest := text; rest != ""; {
		step, size := next(rest, len(path) == 0)
		if size == 0 {
			return path, hint.With(fmt.Errorf("%q is not the path of a field", text),
				`write it as diff does: spec.replicas, spec.containers[name=web].image or metadata.annotations["a.b/c"]`)
		}
		path, rest = append(path, step), rest[size:]
	}
	return path, nil
}

// next reads the step at the beginning of text; a size of 0 means that there is none.
func next(text string, first bool) (step Step, size int) {
	inside, bracket := strings.CutPrefix(text, "[")
	switch {
	case bracket && strings.HasPrefix(inside, `"`):
		key, size := quoted(inside)
		if key == "" {
			return Step{}, 0
		}
		return Step{Key: key}, size + 1
	case bracket && !first:
		step, size := item(inside)
		if size == 0 {
			return Step{}, 0
		}
		return step, size + 1
	case first:
		size := word(text, true)
		return Step{Key: text[:size]}, size
	}
	if rest, ok := strings.CutPrefix(text, "."); ok {
		if size := word(rest, false); size > 0 {
			return Step{Key: rest[:size]}, size + 1
		}
	}
	return Step{}, 0
}

// item reads an item behind its bracket.
func item(text string) (step Step, size int) {
	if index := indexItem.FindString(text); index != "" {
		i, _ := strconv.Atoi(index[:len(index)-1])
		return Step{Item: true, Index: i}, len(index)
	}
	key := keyedItem.FindString(text)
	if key == "" {
		return Step{}, 0
	}
	step, rest := Step{Item: true, Key: key[:len(key)-1]}, text[len(key):]
	if strings.HasPrefix(rest, `"`) {
		step.Is, size = quoted(rest)
	} else if size = strings.IndexByte(rest, ']') + 1; size > 1 {
		step.Is = rest[:size-1]
	} else {
		size = 0
	}
	if size == 0 {
		return Step{}, 0
	}
	return step, len(key) + size
}

// quoted reads a quoted text and the bracket behind it.
func quoted(text string) (value string, size int) {
	prefix, err := strconv.QuotedPrefix(text)
	if err != nil || !strings.HasPrefix(text[len(prefix):], "]") {
		return "", 0
	}
	value, err = strconv.Unquote(prefix)
	if err != nil {
		return "", 0
	}
	return value, len(prefix) + 1
}
