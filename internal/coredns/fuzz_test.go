// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"slices"
	"strings"
	"testing"
)

// Whatever a Corefile holds: writing twice is writing once, all around the block
// stays byte for byte, and taking it out gives back what was there. The other
// server blocks are the same ones, to CoreDNS's own lexer too.
func FuzzCorefile(f *testing.F) {
	for _, seed := range []string{
		kubeadms, "", "consul {\n}\n", dns().block("10.1.1.1"), "a {\n" + dns().block("10.1.1.1") + "}\n", "import x\n(y) {\n}\n",
		"a, b {\n  c \"}\" {\n  }\n}", "\"a b\" {\n}", "\ufeff. {\n}", "# clusterup: consul (\n", "# clusterup: end", "a {$B}:53 {\n} #",
		"\"\n# clusterup: consul (environment x)\n", "a {\n}\r\n\x00",
	} {
		f.Add(seed)
	}
	block := dns().block("10.96.0.20")
	f.Fuzz(func(t *testing.T, text string) {
		was, err := cut(text, "consul")
		if err != nil {
			return
		}
		if was.String() != text {
			t.Fatalf("cut and put together: %q", was)
		}
		once, err := set(text, block)
		if err != nil {
			return
		}
		if twice, err := set(once, block); err != nil || twice != once {
			t.Errorf("twice: %v\n%q\n%q", err, once, twice)
		}
		made, err := cut(once, "consul")
		if err != nil || made.before != was.before || made.after != was.after || made.block != block {
			t.Errorf("around the block: %v\n%q\n%q", err, was, made)
		}
		gone, err := set(once, "")
		if err != nil || gone != was.before+was.after {
			t.Errorf("taken out: %v\n%q\n%q", err, text, gone)
		}
		rest, err := keys(gone)
		if err != nil {
			t.Fatal(err)
		}
		all, err := keys(once)
		if err != nil || len(all) != len(rest)+1 {
			t.Fatalf("blocks: %v, %q, %q", err, rest, all)
		}
		if at := slices.Index(all, "consul:53"); at < 0 || strings.Join(slices.Delete(all, at, at+1), "|") != strings.Join(rest, "|") {
			t.Errorf("blocks: %q, %q", rest, all)
		}
	})
}
