// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"clusterup.dev/clusterup/internal/hint"
)

// source holds add-ons given as "name: need need ?used".
func source(name string, addons ...string) Source {
	files := fstest.MapFS{"embed.go": {Data: []byte("package addons")}}
	for _, line := range addons {
		addon, needs, _ := strings.Cut(line, ":")
		needed, uses := []string{}, []string{}
		for _, need := range strings.Fields(needs) {
			if used, ok := strings.CutPrefix(need, "?"); ok {
				uses = append(uses, used)
			} else {
				needed = append(needed, need)
			}
		}
		yaml := strings.Replace(header, "demo", addon, 1) + "needs: [" + strings.Join(needed, ", ") + "]\nuses: [" + strings.Join(uses, ", ") + "]\n"
		files[addon+"/addon.yaml"] = &fstest.MapFile{Data: []byte(yaml)}
	}
	return Source{Name: name, FS: files}
}

func TestSelect(t *testing.T) {
	catalog, err := Find(source("built-in", "consul", "vault: consul", "ingress", "a: b", "b: c", "c: a", "lost: nowhere", "broken: x x", "web: ingress ?consul ?nowhere", "twice: x ?x"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		names, want, err, hint string
		index                  int
	}{
		{names: "", want: ""},
		{names: "vault consul ingress", want: "consul vault ingress"},
		{names: "ingress consul vault", want: "ingress consul vault"},
		{names: "web ingress", want: "ingress web"},
		{names: "web ingress consul", want: "ingress consul web"},
		{names: "consul twice", err: "built-in/twice/addon.yaml:6:8: x is needed twice", index: -1},
		{names: "consul ingres", err: "there is no add-on ingres", hint: "did you mean ingress?", index: 1},
		{names: "consul consul", err: "add-on consul is listed twice", index: 1},
		{names: "ingress vault", err: "vault needs consul, which this environment does not list", hint: "add consul to the add-ons", index: 1},
		{names: "lost", err: "lost needs nowhere, and there is no such add-on", hint: "there are: a, b, broken, c, consul, ingress, lost, twice, vault, web"},
		{names: "ingress c b a", err: "add-ons need each other in a circle: c needs a needs b needs c", hint: "take one of the needs away", index: -1},
		{names: "consul broken", err: "built-in/broken/addon.yaml:5:12: x is needed twice", index: -1},
	}
	for _, tt := range tests {
		t.Run(tt.names, func(t *testing.T) {
			addons, err := catalog.Select(strings.Fields(tt.names))
			if tt.err == "" {
				var got []string
				for _, a := range addons {
					got = append(got, a.Name)
				}
				if diff := cmp.Diff(strings.Fields(tt.want), got); err != nil || diff != "" && tt.want != "" {
					t.Error(err, diff)
				}
				return
			}
			if err == nil || err.Error() != tt.err {
				t.Fatalf("error %v, want %s", err, tt.err)
			}
			var about *SelectError
			if index, advice := -1, hint.Of(err); true {
				if errors.As(err, &about) {
					index, advice = about.Index, about.Hint
				}
				if index != tt.index || advice != tt.hint {
					t.Errorf("about %d with hint %q", index, advice)
				}
			}
		})
	}
}

// A later source replaces an add-on; one that cannot be loaded hurts only whoever
// wants it; a folder without addon.yaml is one of those.
func TestFind(t *testing.T) {
	mine := source("mine", "consul: x")
	mine.FS.(fstest.MapFS)["half/manifests/a.yaml"] = &fstest.MapFile{}
	mine.FS.(fstest.MapFS)[".git/config"] = &fstest.MapFile{}
	absent, err := fs.Sub(fstest.MapFS{}, "absent")
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := Find(source("built-in", "consul", "vault: consul"), mine, Source{Name: "absent", FS: absent})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"consul", "half", "vault"}, catalog.Names()); diff != "" {
		t.Error(diff)
	}
	if a, err := catalog.Get("consul"); err != nil || a.Source != "mine" || a.Dir != "mine/consul" {
		t.Errorf("consul: %+v, %v", a, err)
	}
	for name, want := range map[string]string{"half": "mine/half: has no addon.yaml", "none": "there is no add-on none"} {
		if _, err := catalog.Get(name); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The authority of a certificate may be of another add-on, and has to be one.
func TestSelectChecksAuthorities(t *testing.T) {
	for name, want := range map[string]string{
		"ca": "", "gossip": "x/demo/addon.yaml:6:57: the certificate web names consul/gossip, which is no token of kind ca",
	} {
		files := fstest.MapFS{
			"consul/addon.yaml": {Data: []byte(strings.Replace(header, "demo", "consul", 1) + "tokens: [{name: ca, kind: ca}, {name: gossip, kind: gossip-key}]")},
			"demo/addon.yaml":   {Data: []byte(header + "needs: [consul]\ntokens: [{name: web, client: true, kind: cert,      ca: consul/" + name + "}]")},
		}
		catalog, err := Find(Source{Name: "x", FS: files})
		if err != nil {
			t.Fatal(err)
		}
		_, err = catalog.Select([]string{"demo", "consul"})
		if got := ""; err != nil || want != "" {
			if err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
}
