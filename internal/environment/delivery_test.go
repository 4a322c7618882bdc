// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/hint"
)

// withDelivery is the good file with a delivery in line 25, and an address for the
// first operator.
func withDelivery(delivery string) string {
	text := strings.Replace(good, "  timeout: 20m", "  timeout: 20m\n  delivery: "+delivery, 1)
	return strings.Replace(text, "- name: platform", "- name: platform\n      email: platform@example.com", 1)
}

func TestADeliveryThatCannotWorkIsRefused(t *testing.T) {
	const host = "host: mail.example.com, from: a@example.com"
	for name, c := range map[string]struct{ delivery, want, hint string }{
		"nothing":         {"{}", "spec.delivery says no way", "folder: DIR"},
		"no host":         {"{smtp: {from: a@example.com}}", "spec.delivery.smtp.host is missing", "mail.example.com"},
		"a URL":           {"{smtp: {host: 'smtp://x', from: a@example.com}}", `spec.delivery.smtp.host is "smtp://x"`, "port:"},
		"port":            {"{smtp: {" + host + ", port: 70000}}", "70000 is no port", ""},
		"from":            {"{smtp: {host: mail.example.com}}", `"" is not an e-mail address`, ""},
		"tls":             {"{smtp: {" + host + ", tls: maybe}}", `spec.delivery.smtp.tls is "maybe"`, "starttls, tls or none"},
		"half of a login": {"{smtp: {" + host + ", usernameEnv: U}}", "has one of usernameEnv and passwordEnv", "give both"},
		"a password":      {"{smtp: {" + host + ", usernameEnv: U, passwordEnv: 'pa ss!'}}", "passwordEnv is not the name of an environment variable", "not into this file"},
		"in clear":        {"{smtp: {" + host + ", tls: none, usernameEnv: U, passwordEnv: P}}", "a password would go to the mail server in clear", "use starttls"},
		"password":        {"{smtp: {" + host + ", password: x}}", `unknown field "password"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			refusesText(t, withDelivery(c.delivery), c.want, c.hint)
		})
	}
	refusesText(t, strings.Replace(withDelivery("{smtp: {"+host+"}}"), "      email: platform@example.com\n", "", 1), "no operator has an e-mail address", "email: ADDRESS")
}

// refusesText wants one line about the file, with a hint, that repeats no password.
func refusesText(t *testing.T, text, want, wantHint string) {
	t.Helper()
	_, err := parse("environments/prod.yaml", []byte(text))
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "pa ss") {
		t.Errorf("got %v, want %s", err, want)
	}
	if got := hint.Of(err); !strings.Contains(got, wantHint) {
		t.Errorf("the hint is %q, want %q", got, wantHint)
	}
}

func TestWhatADeliveryLeavesOutHasADefault(t *testing.T) {
	for tls, port := range map[string]int{"": 587, "starttls": 587, "tls": 465, "none": 25} {
		delivery := "{folder: ../shares, smtp: {host: mail.example.com, from: a@example.com"
		if tls != "" {
			delivery += ", tls: " + tls
		}
		e, err := parse("environments/prod.yaml", []byte(withDelivery(delivery+"}}")))
		if err != nil {
			t.Fatal(err)
		}
		if d := e.Spec.Delivery; d.Folder != "shares" || d.SMTP.Port != port || d.SMTP.TLS == "" {
			t.Errorf("tls %q: %+v, %+v", tls, d, d.SMTP)
		}
	}
}
