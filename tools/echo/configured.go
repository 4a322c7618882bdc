// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
)

// names is a flag that may be given several times.
type names []string

func (n *names) String() string { return strings.Join(*n, ",") }

func (n *names) Set(name string) error {
	if name == "" || strings.Contains(name, "=") {
		return fmt.Errorf("%q is no name of an environment variable", name)
	}
	*n = append(*n, name)
	return nil
}

// variables are the values that a request asks for with ?env=NAME; only those that
// --show names are told.
func (o options) variables(asked []string) (map[string]string, error) {
	if len(asked) == 0 {
		return nil, nil //nolint:nilnil // nothing was asked for
	}
	values := map[string]string{}
	for _, name := range asked {
		if !slices.Contains(o.show, name) {
			return nil, fmt.Errorf("the variable %q is not shown", name)
		}
		values[name] = os.Getenv(name)
	}
	return values, nil
}

// private answers "ok" to whoever knows the password in the variable, and never
// says what it is. The name of the user does not count.
func (o options) private(w http.ResponseWriter, r *http.Request) {
	want := os.Getenv(o.password)
	_, got, _ := r.BasicAuth()
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got)) // of one length, so that the time says nothing
	if want == "" || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
		w.Header().Set("WWW-Authenticate", `Basic realm="echo"`)
		http.Error(w, "the password, please", http.StatusUnauthorized)
		return
	}
	fmt.Fprintln(w, "ok")
}
