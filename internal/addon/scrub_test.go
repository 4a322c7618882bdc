// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// keyTokens answer a key in PEM for every secret: lines, and a short one at the end.
type keyTokens struct{}

const aKey = "-----BEGIN EC PRIVATE KEY-----\n" +
	"MHcCAQEEIN0aQ7bP2sV5kXwJr8YtUe3oLzHc6mFgDi1uAyWqZvBnoAoGCCqGSM49\n" +
	"AwEHoUQDQgAE4Kp9xTfRj2LsGhNdYcM7vQe5WuXoZiBa8tJrPyHk3nVlDm6SgCqF\n" +
	"b1wUzEtIyO==\n-----END EC PRIVATE KEY-----\n"

func (keyTokens) Secret(string) (secret.Value, bool) { return secret.NewString(aKey), true }

func (keyTokens) Public(string) (string, bool) { return "public", true }

// No part of a key that a chart's values hold is in an error, whichever way it gets
// there: quoted by the check of the values, in a text of several lines that
// becomes one, or encoded by a template.
func TestChartErrorsHoldNoKey(t *testing.T) {
	const key = `{{ token "demo/ca" | toJson }}`
	for _, test := range []struct{ name, schema, values, template string }{
		{"pattern", `{"properties": {"key": {"pattern": "^no$"}}}`, "key: " + key, ""},
		{"const and enum", `{"properties": {"key": {"const": 1, "enum": [1]}}}`, "key: " + key, ""},
		{"format", `{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"key": {"format": "ipv4"}}}`, "key: " + key, ""},
		{"name of a property", `{"additionalProperties": false}`, `{{ dict (token "demo/ca") 1 | toJson }}`, ""},
		{"place of a property", `{"additionalProperties": {"type": "string"}}`, `{{ dict (token "demo/ca") 1 | toJson }}`, ""},
		{"fail", "", "key: " + key, "{{ fail .Values.key }}"},
		{"fail in the middle", "", "key: " + key, `{{ fail (printf "got %s: not this" .Values.key) }}`},
		{"required", "", "key: " + key, "{{ required .Values.key .Values.absent }}"},
		{"indented", "", "key: " + key, "{{ fail (indent 4 .Values.key) }}"},
		{"joined", "", "key: " + key, `{{ fail (.Values.key | replace "\n" " ") }}`},
		{"quoted", "", "key: " + key, "{{ fail (quote .Values.key) }}"},
		{"JSON", "", "key: " + key, "{{ fail (.Values | toJson) }}"},
		{"YAML", "", "key: " + key, "{{ fail (.Values | toYaml) }}"},
		{"base64", "", "key: " + key, "{{ fail (b64enc .Values.key) }}"},
		{"base64 of the trimmed", "", "key: " + key, "{{ fail (.Values.key | trim | b64enc) }}"},
		{"base64 in the middle", "", "key: " + key, `{{ fail (printf "user:%s:host" .Values.key | b64enc) }}`},
		{"base64 with another beginning", "", "key: " + key, `{{ fail (printf "me:%s" .Values.key | b64enc) }}`},
		{"a bad template", "", "key: " + key, `{{ tpl (printf "{{ %s" .Values.key) . }}`},
		{"a bad call", "", "key: " + key, "{{ .Values.key.more }}"},
		{"a bad number", "", "key: " + key, `{{ include .Values.key . }}`},
		{"bad YAML", "", "key: " + key, "a: {{ .Values.key }}: b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := []string{
				"addon.yaml", header + "tokens: [{name: ca, kind: ca}]\nsource: {chart: c, values: v.yaml}\n",
				"v.yaml", test.values, "c/Chart.yaml", aChart, "c/templates/x.yaml", test.template,
			}
			if test.schema != "" {
				files = append(files, "c/values.schema.json", test.schema)
			}
			a := mustLoad(t, files...)
			_, err := Render(Input{Addon: a, Environment: "test", Tokens: keyTokens{}})
			if err == nil {
				t.Fatal("no error")
			}
			if part := partOf(aKey, err.Error()+hint.Of(err)); part != "" {
				t.Errorf("%q holds %q", err, part)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("not one line: %q", err)
			}
			t.Log(err)
		})
	}
}

// partOf gives what of the key is in text, in whatever form.
func partOf(key, text string) string {
	bare := strings.NewReplacer(`\n`, "", `\\n`, "", "%0A", "", "\n", "", " ", "", "+", "", "/", "").Replace
	body := strings.Split(strings.TrimSpace(key), "\n")
	plain := bare(strings.Join(body[1:len(body)-1], ""))
	shown := bare(text)
	forms := []string{plain, strings.ToLower(hex.EncodeToString([]byte(key)))}
	for _, before := range []string{"", "a", "ab"} {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(before + strings.TrimSpace(key)))
		forms = append(forms, bare(encoded[4:]))
	}
	for _, form := range forms {
		for i := range len(form) - 10 {
			if strings.Contains(shown, form[i:i+10]) {
				return form[i : i+10]
			}
		}
	}
	return ""
}

// Every form of a token goes out of a text, and nothing else does.
func TestScrub(t *testing.T) {
	r := &renderer{revealed: []secret.Value{secret.NewString(aKey), secret.NewString(`pass'w"ord-<5>`)}}
	scrub := r.scrubber()
	for _, text := range []string{
		aKey, strconv.Quote(aKey), hex.EncodeToString([]byte(aKey)), strings.Join(strings.Fields(aKey), " "),
		base64.URLEncoding.EncodeToString([]byte("x" + aKey + "y")), "short",
	} {
		if part := partOf(aKey, scrub(text)); part != "" {
			t.Errorf("%q is left of %q", part, text)
		}
	}
	for _, form := range []string{`pass'w"ord-<5>`, `pass'w\"ord-<5>`, `pass\'w"ord-<5>`, `pass''w"ord-<5>`, "pass%27w%22ord-%3C5%3E", "cGFzcyd3Im9yZC08NT4="} {
		if got := scrub("before " + form + " after"); got != "before (secret) after" {
			t.Errorf("%s became %s", form, got)
		}
	}
	if text := "a text with -----BEGIN CERTIFICATE----- and pass'"; scrub(text) != text {
		t.Errorf("%q became %q", text, scrub(text))
	}
}
