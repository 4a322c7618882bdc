// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func unmarshalYAML(data []byte, into any) error { return yaml.UnmarshalStrict(data, into) }

// plainYAML is an error of the YAML library without its prefixes.
func plainYAML(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "yaml: ")
}

func marshalYAML(value any) ([]byte, error) { return yaml.Marshal(value) }

// WriteYAML gives objects for people to read, with the file that each comes
// from. Text in Secrets is shown as text: it is for renders with placeholders.
func WriteYAML(objects []Object) ([]byte, error) {
	var b bytes.Buffer
	for _, o := range objects {
		content, err := yaml.Marshal(Readable(o.Unstructured).Object)
		if err != nil {
			return nil, fmt.Errorf("%s: writing %s: %w", o.Where(), o.Title(), err)
		}
		fmt.Fprintf(&b, "---\n# Source: %s\n%s", o.File, content)
	}
	return b.Bytes(), nil
}

// Readable gives an object with the text in a Secret as text.
func Readable(u *unstructured.Unstructured) *unstructured.Unstructured {
	if !isSecret(u) {
		return u
	}
	u = u.DeepCopy()
	text, binary := make(map[string]any), make(map[string]any)
	encoded, _ := u.Object["data"].(map[string]any)
	for key, value := range encoded {
		plain, err := base64.StdEncoding.DecodeString(fmt.Sprint(value))
		if err == nil && isText(plain) {
			text[key] = string(plain)
		} else {
			binary[key] = value
		}
	}
	for field, content := range map[string]map[string]any{"data": binary, "stringData": text} {
		delete(u.Object, field)
		if len(content) > 0 {
			u.Object[field] = content
		}
	}
	return u
}

func isText(data []byte) bool {
	notText := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }
	return utf8.Valid(data) && !strings.ContainsFunc(string(data), notText)
}
