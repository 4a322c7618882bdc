// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"fmt"
	"strings"
	"text/template"

	"clusterup.dev/clusterup/internal/hint"
)

// HookCalls gives the hooks with the templates in their arguments carried out.
// What a template gives is read as YAML, so that "{{ .Values.shares }}" is a
// number and "{{ toJson .Values.holders }}" a list.
func (a *Addon) HookCalls(environment string, values map[string]any) ([]Hook, error) {
	e := expander{addon: a, environment: environment, values: values}
	hooks := make([]Hook, len(a.Hooks))
	for i, hook := range a.Hooks {
		hooks[i].Use = hook.Use
		hooks[i].With, _ = e.all(hook.With, field("hooks", i, "with")).(map[string]any)
	}
	return hooks, e.err
}

// Asks gives what the add-on asks of others, by their names, with the templates
// in it carried out as in HookCalls.
func (a *Addon) Asks(environment string, values map[string]any) (map[string]map[string]any, error) {
	e := expander{addon: a, environment: environment, values: values}
	asks := make(map[string]map[string]any, len(a.asked))
	for owner, ask := range a.asked {
		asks[owner], _ = e.all(ask, field(owner)).(map[string]any)
	}
	return asks, e.err
}

// expander carries out templates that stand in addon.yaml. They see the values
// and no tokens, files or images. It keeps the first error.
type expander struct {
	addon       *Addon
	environment string
	values      map[string]any
	err         error
}

func (e *expander) all(node any, at []any) any {
	switch node := node.(type) {
	case map[string]any:
		out := make(map[string]any, len(node))
		for key, item := range node {
			out[key] = e.all(item, append(at[:len(at):len(at)], key))
		}
		return out
	case []any:
		out := make([]any, len(node))
		for i, item := range node {
			out[i] = e.all(item, append(at[:len(at):len(at)], i))
		}
		return out
	case string:
		if !strings.Contains(node, "{{") {
			return node
		}
		var out any
		if err := unmarshalYAML([]byte(e.text(node, at)), &out); err != nil && e.err == nil {
			e.err = e.addon.errorf(at, "the template gives no YAML: %s", plainYAML(err))
		}
		return normalise(out)
	}
	return node
}

func (e *expander) texts(texts []string, at []any) []string {
	var out []string
	for i, text := range texts {
		out = append(out, e.text(text, append(at[:len(at):len(at)], i)))
	}
	return out
}

func (e *expander) text(text string, at []any) string {
	if e.err != nil || !strings.Contains(text, "{{") {
		return text
	}
	tmpl, err := template.New("x").Option("missingkey=error").Funcs(pureFuncs()).Parse(text)
	if err != nil {
		e.fail(err, at)
		return ""
	}
	var out strings.Builder
	if err := tmpl.Execute(&out, e.addon.data(e.environment, e.values)); err != nil {
		e.fail(err, at)
	}
	if strings.Contains(out.String(), noValue) && e.err == nil {
		e.err = e.addon.errorf(at, "a value is null and would be printed as %s", noValue)
	}
	return out.String()
}

// fail puts the place in addon.yaml in front of what went wrong.
func (e *expander) fail(err error, at []any) {
	text := err.Error()
	if m := templatePlace.FindStringSubmatch(text); m != nil {
		text = callPrefix.ReplaceAllString(m[2], "")
	}
	e.err = hint.With(fmt.Errorf("%s: %s", e.addon.At(at...), text), "%s", missingHint(err, e.values))
}
