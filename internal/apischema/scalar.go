// SPDX-License-Identifier: Apache-2.0

package apischema

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
)

func (c *checker) bytes(path string, value any) {
	text, ok := value.(string)
	if !ok {
		c.problem(path, "", "has to be base64, and is %s", describe(value))
	} else if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		c.problem(path, "the template function b64enc gives base64", "is not base64")
	}
}

func (c *checker) scalar(path string, t reflect.Type, value any) {
	switch t.Kind() {
	case reflect.String:
		if _, ok := value.(string); !ok {
			c.problem(path, quoted(value), "has to be text, and is %s", describe(value))
		}
	case reflect.Bool:
		if _, ok := value.(bool); !ok {
			c.problem(path, "", "has to be true or false, and is %s", describe(value))
		}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32:
		n, ok := whole(value)
		switch {
		case !ok:
			c.problem(path, "", "has to be a whole number, and is %s", describe(value))
		case t.Kind() == reflect.Int32 && (n < math.MinInt32 || n > math.MaxInt32):
			c.problem(path, "", "%d is too large a number", n)
		}
	case reflect.Float32, reflect.Float64:
		if _, ok := value.(float64); !ok {
			if _, ok := whole(value); !ok {
				c.problem(path, "", "has to be a number, and is %s", describe(value))
			}
		}
	}
}

func whole(value any) (int64, bool) {
	switch value := value.(type) {
	case int64:
		return value, true
	case int:
		return int64(value), true
	case float64:
		if math.Trunc(value) == value && math.Abs(value) < 1<<53 {
			return int64(value), true
		}
	}
	return 0, false
}

func quoted(value any) string {
	switch value.(type) {
	case map[string]any, []any:
		return ""
	}
	return fmt.Sprintf("put it in quotes: %q", fmt.Sprint(value))
}

func describe(value any) string {
	switch value := value.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case string:
		return "the text " + brief(value)
	default:
		return fmt.Sprint(value)
	}
}

// brief is enough of a value to know it by.
func brief(value any) string {
	text, ok := value.(string)
	if !ok {
		return describe(value)
	}
	if runes := []rune(text); len(runes) > 40 {
		text = string(runes[:40]) + "..."
	}
	return fmt.Sprintf("%q", text)
}
