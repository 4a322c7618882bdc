// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"fmt"
	"net/mail"
	"slices"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// Self is the operator who stands for whoever runs, if there is one.
func (e *Environment) Self() (Operator, bool) {
	for _, o := range e.Spec.Operators {
		if o.Self {
			return o, true
		}
	}
	return Operator{}, false
}

// OperatorKeys are the public keys of the operators who can open tokens, by name: all
// but those with PGP keys. self is the key of whoever runs; it may be zero when no
// operator is Self.
func (e *Environment) OperatorKeys(self secret.Recipient) (map[string]secret.Recipient, error) {
	if o, ok := e.Self(); ok && self.IsZero() {
		return nil, hint.With(fmt.Errorf("operator %s is whoever runs, who has no identity", o.Name), "name one with --identity FILE")
	}
	return e.keys(self)
}

const onePerson = "one person, one operator: a share for each of them would be in one hand"

// keys leaves out whoever runs when self is zero.
func (e *Environment) keys(self secret.Recipient) (map[string]secret.Recipient, error) {
	keys := make(map[string]secret.Recipient, len(e.Spec.Operators))
	owners := make(map[string]string, len(e.Spec.Operators))
	for i, o := range e.Spec.Operators {
		key, field, err := o.key(self)
		if err != nil {
			return nil, e.Errorf([]any{"spec", "operators", i, field}, "the key of operator %s: %w", o.Name, err)
		}
		if key.IsZero() {
			continue
		}
		if other, ok := owners[key.String()]; ok {
			return nil, hint.With(e.Errorf([]any{"spec", "operators", i, field}, "operators %s and %s have the same key", other, o.Name),
				"%s", onePerson)
		}
		keys[o.Name], owners[key.String()] = key, o.Name
	}
	return keys, nil
}

func (o Operator) key(self secret.Recipient) (key secret.Recipient, field string, err error) {
	switch {
	case o.Age != "":
		key, err = secret.ParseRecipient("age", o.Age)
		return key, "age", err
	case o.SSH != "":
		key, err = secret.ParseRecipient("ssh", o.SSH)
		return key, "ssh", err
	case o.PGP != "":
		return key, "pgp", nil // opens no tokens
	}
	return self, "self", nil
}

func (e *Environment) checkOperators() error {
	if len(e.Spec.Operators) == 0 {
		return hint.With(e.Errorf([]any{"spec", "operators"}, "spec.operators is empty, and tokens have to be sealed to somebody"),
			"operators: [{name: NAME, age: age1...}]; age-keygen makes a key")
	}
	if !slices.ContainsFunc(e.Spec.Operators, func(o Operator) bool { return o.PGP == "" }) {
		return hint.With(e.Errorf([]any{"spec", "operators"}, "every operator has a PGP key, and tokens have to be sealed to somebody's age or SSH key"),
			"add whoever runs clusterup: {name: NAME, age: age1...}; age-keygen makes a key")
	}
	names := make(map[string]int)
	for i, o := range e.Spec.Operators {
		if err := e.checkName(o.Name, "spec", "operators", i, "name"); err != nil {
			return err
		}
		if first, ok := names[o.Name]; ok {
			return e.Errorf([]any{"spec", "operators", i, "name"}, "operator %s is listed twice, first at %s", o.Name, e.At("spec", "operators", first))
		}
		names[o.Name] = i
		if err := e.checkOperator(o, i); err != nil {
			return err
		}
	}
	return e.checkKeys()
}

func (e *Environment) checkOperator(o Operator, i int) error {
	path := func(field string) []any { return []any{"spec", "operators", i, field} }
	given := 0
	for _, is := range []bool{o.Age != "", o.SSH != "", o.PGP != "", o.Self} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return hint.With(e.Errorf(path(""), "operator %s has no key", o.Name), "age: age1..., or ssh: ssh-ed25519 ...; or, to hold key shares and nothing else, pgp: FILE")
	case given > 1:
		return hint.With(e.Errorf(path(""), "operator %s has more than one key", o.Name), "keep one of age, ssh, pgp and self")
	case o.Self && !e.Spec.Development:
		return hint.With(e.Errorf(path("self"), "operator %s is whoever runs, which only a development environment may have", o.Name),
			"name their key (age or ssh), or set spec.development: true")
	}
	if _, err := mail.ParseAddress(o.Email); o.Email != "" && err != nil {
		return e.Errorf(path("email"), "%q is not an e-mail address", o.Email)
	}
	return nil
}

// checkKeys reads all keys that are in the file.
func (e *Environment) checkKeys() error {
	self := ""
	for i, o := range e.Spec.Operators {
		switch {
		case o.Self && self != "":
			return e.Errorf([]any{"spec", "operators", i, "self"}, "operators %s and %s are both whoever runs", self, o.Name)
		case o.Self:
			self = o.Name
		}
	}
	if _, err := e.keys(secret.Recipient{}); err != nil {
		return err
	}
	return e.readPGP()
}

func (e *Environment) checkCustodian() error {
	name := e.Spec.Custodian
	if name == "" {
		return nil
	}
	if !e.Spec.Development {
		return hint.With(e.Errorf([]any{"spec", "custodian"}, "one custodian of all key shares is only for a development environment"),
			"name the holders in the values of the add-on, or set spec.development: true")
	}
	var names []string
	for _, o := range e.Spec.Operators {
		switch {
		case o.Name == name && o.PGP != "":
			return hint.With(e.Errorf([]any{"spec", "custodian"}, "the custodian %s has a PGP key, which no run can open shares with", name), "name an operator with an age or SSH key")
		case o.Name == name:
			return nil
		}
		names = append(names, o.Name)
	}
	return hint.With(e.Errorf([]any{"spec", "custodian"}, "the custodian %s is no operator", name), "%s", strictyaml.Nearest(name, names))
}
