// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// noLoader refuses schemas that are elsewhere: Helm would fetch them.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a schema cannot refer to %s: nothing is fetched", url)
}

// validate checks the values of a chart, and of those below it, with their schemas.
func (c *loaded) validate(chart *helmchart.Chart, values map[string]any) error {
	if len(chart.Schema) > 0 {
		shown := path.Join(c.dirs[chart.ChartFullPath()], "values.schema.json")
		if err := matches(chart.Schema, values); err != nil {
			return fmt.Errorf("%s: the values of %s: %s", shown, chart.Name(), oneLine(err))
		}
	}
	for _, sub := range chart.Dependencies() {
		if own, ok := values[sub.Name()].(map[string]any); ok {
			if err := c.validate(sub, own); err != nil {
				return err
			}
		}
	}
	return nil
}

func matches(schema []byte, values map[string]any) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource("chart:///values.schema.json", document); err != nil {
		return err
	}
	compiled, err := compiler.Compile("chart:///values.schema.json")
	if err != nil {
		return err
	}
	data, err := json.Marshal(values) // in place of Helm's own types
	if err != nil {
		return err
	}
	plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return err
	}
	var invalid *jsonschema.ValidationError
	if err := compiled.Validate(plain); errors.As(err, &invalid) {
		return errors.New(strings.Join(faults(invalid), "; "))
	} else if err != nil {
		return err
	}
	return nil
}

// faults say where the values are wrong, and by which keyword of the schema: never
// what the value is, which may be a secret, as the library's text does.
func faults(e *jsonschema.ValidationError) []string {
	if len(e.Causes) > 0 {
		var all []string
		for _, cause := range e.Causes {
			all = append(all, faults(cause)...)
		}
		return all
	}
	at := "/" + strings.Join(e.InstanceLocation, "/")
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return []string{fmt.Sprintf("%s is of the type %s, want %s", at, k.Got, strings.Join(k.Want, " or "))}
	case *kind.Required:
		return []string{fmt.Sprintf("%s lacks %s", at, strings.Join(k.Missing, ", "))}
	case *kind.AdditionalProperties:
		return []string{fmt.Sprintf("%s may not hold %s", at, strings.Join(k.Properties, ", "))}
	}
	keyword := strings.Join(e.ErrorKind.KeywordPath(), "/")
	return []string{fmt.Sprintf("%s is not as %s says", at, cmp.Or(keyword, "the schema"))}
}
