// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

// The ports that mail servers have, by how the connection is protected.
var smtpPorts = map[string]int{"starttls": 587, "tls": 465, "none": 25} //nolint:gochecknoglobals // a table

// The name of an environment variable.
var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (e *Environment) checkDelivery() error {
	d := e.Spec.Delivery
	switch {
	case d == nil:
		return nil
	case d.SMTP == nil && d.Folder == "":
		return hint.With(e.Errorf([]any{"spec", "delivery"}, "spec.delivery says no way"), "folder: DIR, or smtp: {host: HOST, from: ADDRESS}; the bucket has the shares in any case")
	case d.SMTP == nil:
		return nil
	}
	s := d.SMTP
	path := func(field string) []any { return []any{"spec", "delivery", "smtp", field} }
	if s.Host == "" || strings.ContainsAny(s.Host, "/: \t\n") {
		return hint.With(e.Errorf(path("host"), "spec.delivery.smtp.host is %s", quoted(s.Host)), "name the mail server, like mail.example.com, and give the port as port:")
	}
	if s.Port < 0 || s.Port > 65535 {
		return e.Errorf(path("port"), "%d is no port", s.Port)
	}
	if _, err := mail.ParseAddress(s.From); err != nil {
		return e.Errorf(path("from"), "%q is not an e-mail address", s.From)
	}
	if _, ok := smtpPorts[s.TLS]; !ok && s.TLS != "" {
		return hint.With(e.Errorf(path("tls"), "spec.delivery.smtp.tls is %q", s.TLS), "use starttls, tls or none")
	}
	if err := e.checkCredentials(s, path); err != nil {
		return err
	}
	if !slices.ContainsFunc(e.Spec.Operators, func(o Operator) bool { return o.Email != "" }) {
		return hint.With(e.Errorf([]any{"spec", "delivery", "smtp"}, "no operator has an e-mail address"), "operators: [{name: NAME, email: ADDRESS, ...}]")
	}
	return nil
}

// checkCredentials wants the names of variables, and never a password itself.
func (e *Environment) checkCredentials(s *SMTP, path func(string) []any) error {
	for _, v := range []struct{ field, name string }{{"usernameEnv", s.UsernameEnv}, {"passwordEnv", s.PasswordEnv}} {
		if v.name != "" && !variablePattern.MatchString(v.name) {
			return hint.With(e.Errorf(path(v.field), "spec.delivery.smtp.%s is not the name of an environment variable", v.field), "the value itself belongs into that variable, not into this file")
		}
	}
	switch {
	case (s.UsernameEnv == "") != (s.PasswordEnv == ""):
		return hint.With(e.Errorf(path("usernameEnv"), "spec.delivery.smtp has one of usernameEnv and passwordEnv"), "give both, or none for a server that asks for none")
	case s.UsernameEnv != "" && s.TLS == "none":
		return hint.With(e.Errorf(path("tls"), "a password would go to the mail server in clear"), "use starttls or tls, or a server that asks for no password")
	}
	return nil
}

// setDelivery fills in what the file leaves out.
func (e *Environment) setDelivery(dir string) error {
	d := e.Spec.Delivery
	if d == nil {
		return nil
	}
	if d.Folder != "" {
		folder, err := resolve(d.Folder, dir)
		if err != nil {
			return e.Errorf([]any{"spec", "delivery", "folder"}, "%w", err)
		}
		d.Folder = folder
	}
	if d.SMTP == nil {
		return nil
	}
	if d.SMTP.TLS == "" {
		d.SMTP.TLS = "starttls"
	}
	if d.SMTP.Port == 0 {
		d.SMTP.Port = smtpPorts[d.SMTP.TLS]
	}
	return nil
}
