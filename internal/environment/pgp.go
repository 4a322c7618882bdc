// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"errors"
	"fmt"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// PGPKeys are the keys of the operators who have a PGP key, by name.
func (e *Environment) PGPKeys() map[string]secret.PGPKey { return e.pgp }

// readPGP reads every PGP key, and the files that they are in.
func (e *Environment) readPGP() error {
	e.pgp = map[string]secret.PGPKey{}
	owners := map[string]string{}
	for i, o := range e.Spec.Operators {
		if o.PGP == "" {
			continue
		}
		path := []any{"spec", "operators", i, "pgp"}
		key, err := e.pgpKey(o.PGP)
		if err != nil {
			return e.Errorf(path, "the key of operator %s: %w", o.Name, err)
		}
		if other, ok := owners[key.Fingerprint()]; ok {
			return hint.With(e.Errorf(path, "operators %s and %s have the same key", other, o.Name), "%s", onePerson)
		}
		owners[key.Fingerprint()], e.pgp[o.Name] = o.Name, key
	}
	return nil
}

// pgpKey reads a key that is written into the environment's file, or beside it.
func (e *Environment) pgpKey(text string) (secret.PGPKey, error) {
	if strings.Contains(text, "-----") {
		return secret.ParsePGP([]byte(text))
	}
	if strings.ContainsAny(text, "\n\r") {
		return secret.PGPKey{}, hint.With(errors.New("this is neither an armored PGP key nor the path of a file"), "pgp: keys/NAME.asc, with what gpg --armor --export FINGERPRINT prints")
	}
	file, err := resolve(text, e.dir)
	if err != nil {
		return secret.PGPKey{}, err
	}
	data, err := read(file)
	if err != nil {
		return secret.PGPKey{}, hint.With(fmt.Errorf("reading %s: %w", file, err), "it has to hold what gpg --armor --export FINGERPRINT prints; a relative path starts at the environment file")
	}
	return secret.ParsePGP(data)
}
