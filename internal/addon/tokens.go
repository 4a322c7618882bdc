// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

func (a *Addon) checkTokens() error {
	var errs []error
	kinds := make(map[string]bool)
	for _, kind := range secret.Kinds() {
		kinds[string(kind)] = true
	}
	seen := make(map[string]bool)
	for i := range a.Tokens {
		token := &a.Tokens[i]
		if token.CA != "" && !strings.Contains(token.CA, "/") {
			token.CA = a.Name + "/" + token.CA
		}
		switch {
		case !dnsLabel.MatchString(token.Name):
			errs = append(errs, a.errorf(field("tokens", i, "name"), "%q cannot name a token", token.Name))
		case seen[token.Name]:
			errs = append(errs, a.errorf(field("tokens", i, "name"), "token %s is listed twice", token.Name))
		case !kinds[token.Kind]:
			errs = append(errs, hint.With(a.errorf(field("tokens", i, "kind"), "token %s is of the unknown kind %q", token.Name, token.Kind), "%s", suggest(token.Kind, kinds)))
		case token.Kind == "cert" && token.CA == "":
			errs = append(errs, hint.With(a.errorf(field("tokens", i), "the certificate %s has no ca", token.Name), "name a token of kind ca"))
		case token.Kind != "cert" && (token.CA != "" || len(token.DNS)+len(token.IPs) > 0 || token.Server || token.Client):
			errs = append(errs, a.errorf(field("tokens", i), "token %s is no certificate, and has fields of one", token.Name))
		case token.Length < 0:
			errs = append(errs, a.errorf(field("tokens", i, "length"), "the length of token %s is negative", token.Name))
		}
		seen[token.Name] = true
		if err := a.checkCA(i); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// checkCA checks the authority of a certificate as far as this folder shows it;
// Select checks those of other add-ons.
func (a *Addon) checkCA(i int) error {
	token := a.Tokens[i]
	if token.CA == "" || token.CA == EnvironmentCA {
		return nil
	}
	owner, name, _ := strings.Cut(token.CA, "/")
	if owner == Environment {
		return hint.With(a.errorf(field("tokens", i, "ca"), "the environment has no authority %s", token.CA), "it is called %s", EnvironmentCA)
	}
	if owner != a.Name {
		return a.mayUse(field("tokens", i, "ca"), owner)
	}
	return a.checkIssuer(field("tokens", i, "ca"), token, a, name)
}

func (a *Addon) checkIssuer(at []any, token Token, owner *Addon, name string) error {
	for _, other := range owner.Tokens {
		if other.Name == name && other.Kind == "ca" {
			return nil
		}
	}
	return a.errorf(at, "the certificate %s names %s, which is no token of kind ca", token.Name, token.CA)
}

func (a *Addon) mayUse(at []any, owner string) error {
	if slices.Contains(a.Needs, owner) {
		return nil
	}
	return hint.With(a.errorf(at, "%s uses a token of %s, which it does not need", a.Name, owner), "list %s under needs", owner)
}

// Specs gives the tokens with the templates in their names carried out.
func (a *Addon) Specs(environment string, values map[string]any) ([]secret.Spec, error) {
	specs := make([]secret.Spec, len(a.Tokens))
	for i, token := range a.Tokens {
		e := expander{addon: a, environment: environment, values: values}
		spec := secret.Spec{
			Addon: a.Name, Name: token.Name, Kind: secret.Kind(token.Kind), CA: token.CA,
			CommonName: e.text(token.CommonName, field("tokens", i, "commonName")),
			DNS:        e.texts(token.DNS, field("tokens", i, "dns")),
			IPs:        e.texts(token.IPs, field("tokens", i, "ips")),
			Server:     token.Server, Client: token.Client, Length: token.Length,
		}
		if e.err != nil {
			return nil, e.err
		}
		if err := spec.Validate(); err != nil {
			return nil, a.errorf(field("tokens", i), "%v", err)
		}
		specs[i] = spec
	}
	return specs, nil
}
