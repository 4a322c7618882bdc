// SPDX-License-Identifier: Apache-2.0

package environment

import (
	_ "embed" // the source of the types, for their comments
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

//go:embed types.go
var typesSource string

// JSONSchema is the schema of an environment file, for editors and for
// docs/reference. It is made from the types and their comments.
func JSONSchema() ([]byte, error) {
	comments, err := typeComments()
	if err != nil {
		return nil, err
	}
	reflector := &jsonschema.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		CommentMap:                 comments,
		Anonymous:                  true,
	}
	schema := reflector.Reflect(&Environment{})
	schema.Title = "clusterup environment"
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("environment schema: %w", err)
	}
	return append(text, '\n'), nil
}

// typeComments maps "package/path.Type.Field" to the comment above it.
func typeComments() (map[string]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "types.go", typesSource, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("environment schema: %w", err)
	}
	pkg := reflect.TypeFor[Environment]().PkgPath()
	comments := make(map[string]string)
	add := func(name string, doc *ast.CommentGroup) {
		if doc != nil {
			comments[pkg+"."+name] = strings.ReplaceAll(strings.TrimSpace(doc.Text()), "\n", " ")
		}
	}
	for _, decl := range file.Decls {
		types, ok := decl.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, spec := range types.Specs {
			t, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			add(t.Name.Name, types.Doc)
			fields, ok := t.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, field := range fields.Fields.List {
				for _, name := range field.Names {
					add(t.Name.Name+"."+name.Name, field.Doc)
				}
			}
		}
	}
	return comments, nil
}
