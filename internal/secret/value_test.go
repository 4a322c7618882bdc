// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"

	"gopkg.in/yaml.v3"
)

const canary = "s3cr3t-Canary/42"

// exposed reports whether text holds the canary in any way that a formatter
// could have written it.
func exposed(text string) bool {
	decimals := strings.Trim(fmt.Sprintf("%d", []byte(canary)), "[]")
	for _, form := range []string{
		canary, hex.EncodeToString([]byte(canary)), fmt.Sprintf("% x", canary), fmt.Sprintf("%#x", []byte(canary)),
		base64.StdEncoding.EncodeToString([]byte(canary)), decimals, strings.ReplaceAll(decimals, " ", ","), "0x73, 0x33",
		fmt.Sprintf("%o", []byte(canary)), fmt.Sprintf("%b", []byte(canary)), fmt.Sprintf("%q", []byte(canary)), fmt.Sprintf("%U", []byte(canary)),
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(strings.Trim(form, "[]"))) {
			return true
		}
	}
	return false
}

type public struct {
	Name  string
	Token Value
}

type private struct {
	name  string
	token Value
	list  []Value
	byID  map[string]*Value
}

// carriers are a secret in everything that could be handed to a printer.
func carriers() map[string]any {
	v := NewString(canary)
	set := &Set{tokens: map[string]token{"a/b": {secret: v}}}
	return map[string]any{
		"a value":                         v,
		"a pointer":                       &v,
		"an exported field":               public{"jo", v},
		"an unexported field":             private{"n", v, []Value{v}, map[string]*Value{"k": &v}},
		"a pointer to unexported fields":  &private{"n", v, []Value{v}, map[string]*Value{"k": &v}},
		"a list":                          []Value{v},
		"a map":                           map[string]Value{"k": v},
		"a list of any":                   []any{v, &v},
		"an unexported field of the same": struct{ inner private }{private{token: v}},
		"a set of tokens":                 set,
		"the inside of a set":             *set,
	}
}

func TestNoVerbOfFmtPrintsASecret(t *testing.T) {
	verbs := []rune("TptbcdoOqxXUeEfFgGsvw")
	for r := 'a'; r <= 'z'; r++ {
		verbs = append(verbs, r, r-'a'+'A')
	}
	without := strings.Clone("no verb") // so that linters do not see the mistake that is tested
	for name, carrier := range carriers() {
		for _, verb := range verbs {
			for _, flags := range []string{"", "+", "#", " ", "0", "-", "+#", "20", ".3", "# "} {
				format := "%" + flags + string(verb)
				if out := fmt.Sprintf(format, carrier); exposed(out) {
					t.Errorf("%s in %s is printed: %s", name, format, out)
				}
			}
		}
		for _, out := range []string{fmt.Sprint(carrier), fmt.Sprintln("x", carrier), fmt.Sprintf(without, carrier)} {
			if exposed(out) {
				t.Errorf("%s is printed: %s", name, out)
			}
		}
	}
}

func TestNoErrorHoldsASecret(t *testing.T) {
	for name, carrier := range carriers() {
		wrapping := "of %w" // a variable, for go vet sees the mistake
		err := errors.Join(fmt.Errorf("of %v", carrier), fmt.Errorf("of %s", carrier), fmt.Errorf(wrapping, carrier))
		if exposed(err.Error()) || exposed(fmt.Sprintf("%+v %#v", err, err)) {
			t.Errorf("%s is in the error: %v", name, err)
		}
	}
}

func TestNoLogHoldsASecret(t *testing.T) {
	for name, carrier := range carriers() {
		var out bytes.Buffer
		options := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, options), slog.NewJSONHandler(&out, options)} {
			log := slog.New(h)
			log.Info("x", "key", carrier, slog.Group("g", "inner", carrier))
			log.With("key", carrier).WithGroup("g").Debug("x", slog.Any("any", carrier))
		}
		if exposed(out.String()) {
			t.Errorf("%s is in the log: %s", name, out.String())
		}
	}
}

func TestNoEncoderWritesASecret(t *testing.T) {
	encoders := map[string]func(any) ([]byte, error){
		"json": json.Marshal,
		"yaml": yaml.Marshal,
		"xml":  xml.Marshal,
		"gob": func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := gob.NewEncoder(&out).Encode(v)
			return out.Bytes(), err
		},
		"template": func(v any) ([]byte, error) {
			var out bytes.Buffer
			err := template.Must(template.New("").Parse(`{{.}} {{printf "%s %x" . .}} {{print .}} {{js .}}`)).Execute(&out, v)
			return out.Bytes(), err
		},
	}
	for encoder, encode := range encoders {
		for name, carrier := range carriers() {
			out, err := encode(carrier)
			if exposed(string(out)) || err != nil && exposed(err.Error()) {
				t.Errorf("%s is written as %s: %s, %v", name, encoder, out, err)
			}
		}
	}
	for encoder, want := range map[string]string{"json": `{"Name":"jo","Token":"(secret)"}`, "yaml": "name: jo\ntoken: (secret)\n"} {
		if out, err := encoders[encoder](public{"jo", NewString(canary)}); err != nil || string(out) != want {
			t.Errorf("%s is %s, %v, want %s", encoder, out, err, want)
		}
	}
}

func TestOnlyRevealGivesTheSecret(t *testing.T) {
	v := NewString(canary)
	if string(v.Reveal()) != canary || v.RevealString() != canary || v.IsZero() {
		t.Error("a value does not reveal what was put in")
	}
	if !v.Equal(NewString(canary)) || v.Equal(NewString("other")) || v.Equal(Value{}) {
		t.Error("values are not compared by what they hold")
	}
	v.Wipe()
	if bytes.ContainsAny(v.Reveal(), canary) {
		t.Error("wiping leaves something")
	}
	var none Value
	none.Wipe()
	if none.Reveal() != nil || none.RevealString() != "" || !none.IsZero() || !none.Equal(NewValue(nil)) || fmt.Sprint(none) != redacted {
		t.Error("the zero value is no absent secret")
	}
}
