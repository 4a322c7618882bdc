// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// corefile is a Corefile cut at our block. The three parts put together are the
// text, byte for byte.
type corefile struct {
	before string
	block  string // with both marks; "" when there is none
	after  string
}

// The marks are whole lines. The first goes on with the environment, and says
// what becomes of an edit.
func firstMark(domain string) string { return "# clusterup: " + domain + " (" }

const lastMark = "# clusterup: end"

var errDamaged = errors.New("the marks around clusterup's block are damaged")

// cut finds the block of a domain.
func cut(text, domain string) (corefile, error) {
	first, last := -1, -1
	at := 0
	for line := range strings.SplitAfterSeq(text, "\n") {
		switch trimmed := strings.TrimSpace(line); {
		case strings.HasPrefix(trimmed, firstMark(domain)):
			if first >= 0 {
				return corefile{}, errDamaged
			}
			first = at
		case trimmed == lastMark && first >= 0 && last < 0:
			last = at + len(line)
		}
		at += len(line)
	}
	switch {
	case first < 0:
		return corefile{after: text}, nil
	case last < 0:
		return corefile{}, errDamaged
	}
	return corefile{before: text[:first], block: text[first:last], after: text[last:]}, nil
}

func (c corefile) String() string { return c.before + c.block + c.after }

// with is the same Corefile with another block, or none. A new block stands at
// the top, where taking it out again leaves no trace. Nothing else is touched: if
// the result would mean something else for others, it is refused.
func (c corefile) with(block, domain string) (corefile, error) {
	if block == "" {
		return corefile{before: c.before, after: c.after}, nil
	}
	rest, err := keys(c.before + c.after)
	if err != nil {
		return corefile{}, err
	}
	for _, key := range rest {
		if serves(key, domain) {
			return corefile{}, &TakenError{Key: key}
		}
	}
	made := corefile{before: c.before, block: block, after: c.after}
	all, err := keys(made.String())
	if err != nil {
		return corefile{}, err
	}
	at := slices.IndexFunc(all, func(key string) bool { return serves(key, domain) })
	if at < 0 || !slices.Equal(slices.Delete(all, at, at+1), rest) {
		return corefile{}, errors.New("a block cannot be added to it")
	}
	return made, nil
}

// TakenError says that the Corefile has a server block for the domain that
// clusterup did not write.
type TakenError struct{ Key string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("it has a server block %q that clusterup did not write", e.Key)
}

// block is what forwards the domain. Only what every CoreDNS of the last years
// reads is in it: a Corefile that it cannot read would keep CoreDNS from
// starting. Consul's answers have no TTL, so `cache 5` holds both good and bad
// ones for five seconds.
func (d *DNS) block(address string) string {
	return fmt.Sprintf(`%senvironment %s); do not edit, `+"`clusterup reconcile`"+` puts it back
%s:53 {
    errors
    cache 5
    loadbalance
    forward . %s
}
%s
`, firstMark(d.Domain), d.Environment, d.Domain, address, lastMark)
}

// owner is the environment that a block names.
func owner(block, domain string) string {
	rest, _ := strings.CutPrefix(strings.TrimSpace(block), firstMark(domain)+"environment ")
	name, _, _ := strings.Cut(rest, ")")
	return name
}

// body is a block without its marks, as a plan shows it.
func body(block string) string {
	lines := strings.Split(strings.TrimSpace(block), "\n")
	if len(lines) < 2 {
		return ""
	}
	return strings.Join(lines[1:len(lines)-1], "\n")
}
