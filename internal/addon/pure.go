// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// pureFuncs are sprig's functions without those whose answer depends on the
// clock, the machine, the network or chance, and a few for YAML.
func pureFuncs() template.FuncMap {
	funcs := sprig.HermeticTxtFuncMap()
	for _, name := range []string{
		"ago", "toDate", "mustToDate", "must_date_modify", "mustDateModify", "durationRound", "unixEpoch", // clock, zone
		"osBase", "osClean", "osDir", "osExt", "osIsAbs", // differ by machine
		"shuffle", "randInt", "bcrypt", "htpasswd", "encryptAES", "decryptAES", "derivePassword", // chance
		"genPrivateKey", "buildCustomCert", "genCA", "genCAWithKey", "genSelfSignedCert",
		"genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey",
	} {
		delete(funcs, name)
	}
	funcs["keys"] = sortedKeys // sprig's give the order of the map, which changes
	funcs["values"] = sortedValues
	funcs["toYaml"] = toYAML
	funcs["fromYaml"] = fromYAML
	funcs["toJson"] = toJSON
	return funcs
}

func sortedKeys(dicts ...map[string]any) []string {
	var keys []string
	for _, dict := range dicts {
		keys = append(keys, slices.Sorted(maps.Keys(dict))...)
	}
	return keys
}

func sortedValues(dict map[string]any) []any {
	values := make([]any, 0, len(dict))
	for _, key := range slices.Sorted(maps.Keys(dict)) {
		values = append(values, dict[key])
	}
	return values
}

func toYAML(value any) (string, error) {
	out, err := marshalYAML(value)
	return strings.TrimSuffix(string(out), "\n"), err
}

func fromYAML(text string) (any, error) {
	var out any
	if err := unmarshalYAML([]byte(text), &out); err != nil {
		return nil, err
	}
	return normalise(out), nil
}

// toJSON leaves <, > and & as they are, unlike sprig's.
func toJSON(value any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return strings.TrimSuffix(b.String(), "\n"), err
}
