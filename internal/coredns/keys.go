// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"errors"
	"fmt"
	"strings"

	"github.com/coredns/caddy/caddyfile"
)

// keys are what the server blocks of a Corefile are for, in their order:
// ".:53", "example.org". The text is read by CoreDNS's own lexer, but not by its
// parser, which would follow imports into the files of this machine.
func keys(text string) ([]string, error) {
	d := caddyfile.NewDispenser("Corefile", strings.NewReader(text))
	all, open, depth := []string{}, 0, 0
	for d.Next() {
		token := d.Val()
		switch {
		case token == "{":
			if depth == 0 && open == 0 {
				return nil, fmt.Errorf("line %d: a block for nothing", d.Line())
			}
			depth, open = depth+1, 0
		case token == "}":
			if depth--; depth < 0 {
				return nil, fmt.Errorf("line %d: a brace too many", d.Line())
			}
		case depth > 0:
		case token == "import" && open == 0:
			for d.NextArg() { // a file, which has whole blocks
			}
		default:
			all, open = append(all, strings.TrimSuffix(token, ",")), open+1
		}
	}
	switch {
	case depth > 0:
		return nil, errors.New("a brace is missing at its end")
	case open > 0:
		return nil, fmt.Errorf("the block of %s has no braces", all[len(all)-1])
	}
	return all, nil
}

// serves reports whether a key means the domain on the port of plain DNS. A domain
// below it has a block of its own, and may.
func serves(key, domain string) bool {
	key = strings.ToLower(key)
	if scheme, rest, found := strings.Cut(key, "://"); found {
		if scheme != "dns" {
			return false
		}
		key = rest
	}
	host, port := key, "53"
	if at := strings.LastIndex(key, ":"); at >= 0 {
		host, port = key[:at], key[at+1:]
	}
	return strings.TrimSuffix(host, ".") == domain && port == "53"
}
