// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a schema cannot refer to %s: only to itself", url)
}

func loadSchema(files fs.FS, dir string) (*jsonschema.Schema, error) {
	data, err := fs.ReadFile(files, SchemaFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	name := dir + "/" + SchemaFile
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
		return nil, fmt.Errorf("%s:%d: %w", name, line, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource("clusterup:///"+SchemaFile, document); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	schema, err := compiler.Compile("clusterup:///" + SchemaFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", name, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return schema, nil
}
