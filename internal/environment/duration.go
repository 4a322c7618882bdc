// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"errors"
	"fmt"
	"time"

	"github.com/invopop/jsonschema"

	"clusterup.dev/clusterup/internal/hint"
)

// Duration is written as "90s", "5m" or "1h30m".
type Duration time.Duration

// String is "1h30m0s".
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes it as it is read.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText refuses what is no duration or none that can be waited for.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return hint.With(fmt.Errorf("%q is not a duration", text), `write it like "90s", "5m" or "1h30m"`)
	}
	if parsed <= 0 {
		return errors.New("it has to be longer than nothing")
	}
	*d = Duration(parsed)
	return nil
}

// JSONSchema describes it in the schema.
func (Duration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`, Examples: []any{"90s", "5m", "1h30m"}}
}
