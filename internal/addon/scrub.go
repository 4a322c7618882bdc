// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"bytes"
	"cmp"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// leastLine is how long a line of a token has to be to be one that tells something,
// where it stands alone.
const leastLine = 16

// scrub takes the tokens that templates were given out of an error's text: a
// function may have quoted its argument. Nothing of the original stays behind it.
func (r *renderer) scrub(err error) error {
	clean := r.scrubber()
	return hint.With(errors.New(clean(err.Error())), "%s", clean(hint.Of(err)))
}

const instead = "(secret)"

// scrubber puts "(secret)" in the place of the tokens that templates were given, in
// every form in which a template or a library may have written them.
func (r *renderer) scrubber() func(text string) string {
	var spread []*regexp.Regexp
	var all []string
	for _, value := range r.revealed {
		spread = append(spread, spreadForm(value.RevealString())...)
		all = append(all, formsOf(value.Reveal())...)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	all = slices.Compact(all)
	pairs := make([]string, 0, 2*len(all))
	for _, form := range all {
		pairs = append(pairs, form, instead)
	}
	forms := strings.NewReplacer(pairs...)
	return func(text string) string {
		for _, form := range spread {
			text = form.ReplaceAllLiteralString(text, instead)
		}
		return forms.Replace(text)
	}
}

// spreadForm is a token of several lines with whatever space is between its words:
// indented, on one line, or with the line breaks written out.
func spreadForm(token string) []*regexp.Regexp {
	words := strings.Fields(token)
	if len(words) < 2 {
		return nil
	}
	for i, word := range words {
		words[i] = regexp.QuoteMeta(word)
	}
	form, err := regexp.Compile(strings.Join(words, `(?:\s|\\+[nrt])*`))
	if err != nil { // it is no text: its other forms go all the same
		return nil
	}
	return []*regexp.Regexp{form}
}

// formsOf gives a token whole, without the space around it, on one line, and line by
// line; each of these as it is, quoted and encoded.
func formsOf(token []byte) []string {
	parts := [][]byte{token, bytes.TrimSpace(token), bytes.Join(bytes.Fields(token), []byte(" ")), bytes.Join(bytes.Fields(token), nil)}
	for line := range bytes.Lines(token) {
		if line = bytes.TrimSpace(line); len(line) >= leastLine {
			parts = append(parts, line)
		}
	}
	var forms []string
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		text := string(part)
		forms = append(forms, text, url.QueryEscape(text), url.PathEscape(text),
			hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)), base32.StdEncoding.EncodeToString(part))
		forms = append(forms, quotedForms(text)...)
		forms = append(forms, base64Forms(part)...)
	}
	return forms
}

// quotedForms are what stands between the quotes: as Go, JSON and YAML write it, and
// with other quotes around it.
func quotedForms(text string) []string {
	written, _ := toJSON(text)
	var forms []string
	for _, form := range []string{strconv.Quote(text), strconv.QuoteToASCII(text), written} {
		form = form[1 : len(form)-1]
		other := strings.ReplaceAll(form, `\"`, `"`)
		forms = append(forms, form, other, strings.ReplaceAll(other, `'`, `\'`), strings.ReplaceAll(text, `'`, `''`))
	}
	return forms
}

// base64Forms are those of part alone, and what is the same of it wherever it stands
// in a longer text.
func base64Forms(part []byte) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		forms = append(forms, encoding.EncodeToString(part))
		for before, first := range []int{0, 2, 3} { // characters that what is before it has a part in
			bits := 8 * (before + len(part))
			encoded := encoding.EncodeToString(append(make([]byte, before), part...))
			if inner := encoded[first : bits/6]; len(inner) >= leastLine/2 {
				forms = append(forms, inner)
			}
		}
	}
	return forms
}
