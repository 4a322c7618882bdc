// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"gopkg.in/yaml.v3"

	"clusterup.dev/clusterup/internal/strictyaml"
)

// decode reads addon.yaml strictly. What an add-on asks of others stands under
// their names: those are fields only because it needs them, so the type to read
// into is made for the file.
func (a *Addon) decode(data []byte) error {
	var peek struct {
		Name  string   `yaml:"name"`
		Needs []string `yaml:"needs"`
		Uses  []string `yaml:"uses"`
	}
	_ = yaml.Unmarshal(data, &peek) // what is wrong is told by Decode, better
	known := metadataFields()
	fields := slices.Clone(known)
	var owners []string
	for _, owner := range slices.Concat(peek.Needs, peek.Uses, []string{peek.Name}) {
		if isField(owner) || !dnsLabel.MatchString(owner) || slices.Contains(owners, owner) {
			continue
		}
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("Asked%d", len(owners)),
			Type: reflect.TypeFor[map[string]any](),
			Tag:  reflect.StructTag(fmt.Sprintf("yaml:%q", owner)),
		})
		owners = append(owners, owner)
	}
	read := reflect.New(reflect.StructOf(fields))
	document, err := strictyaml.Decode(a.Dir+"/"+MetadataFile, data, read.Interface())
	if err != nil {
		return err
	}
	a.document = document
	for i, owner := range owners {
		if asked, ok := read.Elem().FieldByName(fmt.Sprintf("Asked%d", i)).Interface().(map[string]any); ok && asked != nil {
			a.asked[owner] = asked
		}
	}
	for _, field := range known {
		reflect.ValueOf(a).Elem().FieldByName(field.Name).Set(read.Elem().FieldByName(field.Name))
	}
	return nil
}

// metadataFields are those fields of an Addon that addon.yaml has, too.
func metadataFields() []reflect.StructField {
	var fields []reflect.StructField
	for field := range reflect.TypeFor[Addon]().Fields() {
		if name := field.Tag.Get("yaml"); name != "" && name != "-" {
			fields = append(fields, reflect.StructField{Name: field.Name, Type: field.Type, Tag: field.Tag})
		}
	}
	return fields
}

func isField(name string) bool {
	return slices.ContainsFunc(metadataFields(), func(f reflect.StructField) bool { return f.Tag.Get("yaml") == name })
}

// suggest is a hint for a name that is not among the known ones.
func suggest[V any](name string, known map[string]V) string {
	return strictyaml.Nearest(name, slices.Collect(maps.Keys(known)))
}

// At says where in addon.yaml the thing at path is: "addons/x/addon.yaml:12:5".
// A path that leads nowhere gives the nearest thing above it.
func (a *Addon) At(path ...any) string { return a.document.At(path...) }

func (a *Addon) errorf(path []any, format string, args ...any) error {
	return fmt.Errorf("%s: %s", a.At(path...), fmt.Sprintf(format, args...))
}

// field is a path for At.
func field(steps ...any) []any { return steps }
