// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// droppedIn is the second journey: a folder is put beside the environment file
// and listed in it, and nothing else is done. It is checked offline, shown,
// applied behind its own webhook, changed in a value that means a new Job, put
// right after a hand edit, and pruned when it is taken out. The folder that
// `addon new` writes goes with it, as it is.
func (w *world) droppedIn(t *testing.T) {
	if err := os.CopyFS(filepath.Join(w.dir, "addons"), os.DirFS("testdata/addons")); err != nil {
		t.Fatal(err)
	}
	w.must(time.Minute, "addon", "new", "shop")
	w.must(time.Minute, "addon", "lint")
	withShop := environmentFile + "    - {name: shop}\n"
	w.rewrite(t, withShop+"    - {name: widgets}\n")

	shown := w.run(time.Minute, "diff", w.name)
	w.expect(t, shown, 2, "+ CustomResourceDefinition widgets.example.org", "+ Widget widgets/first", "+ ValidatingWebhookConfiguration widgets.example.org",
		"+ Deployment widgets/widgets", "+ Secret widgets/server", "+ Job widgets/migrate", "+ Deployment shop/web")
	made := w.must(5*time.Minute, "create", w.name, "--yes")
	for _, name := range []string{"shop", "widgets"} {
		if !regexp.MustCompile(`(?m)^ *add-on ` + name + ` +ok +0\.1\.0 ready`).MatchString(made.out) {
			t.Errorf("the table after create does not say that %s is ready", name)
		}
	}
	w.must(time.Minute, "diff", w.name)

	password := w.kubectl("", "-n", "widgets", "get", "secret", "server", "-o", "jsonpath={.data.password}")
	if plain, err := base64.StdEncoding.DecodeString(password); err != nil || len(plain) != 32 {
		t.Errorf("the Secret's token has %d characters (%v)", len(plain), err)
	}
	if pods := w.kubectl("", "-n", "shop", "get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}"); pods != "2" {
		t.Errorf("of shop's pods %q are ready, want 2", pods)
	}
	if job := w.kubectl("", "-n", "widgets", "get", "job", "migrate", "-o", "jsonpath={.status.succeeded}"); job != "1" {
		t.Errorf("the job succeeded %q times", job)
	}
	denied := w.tryKubectl("-n", "widgets", "annotate", "widget", "first", "clusterup.dev/deny=rehearsal")
	if !strings.Contains(denied, "echo denies it: rehearsal") {
		t.Errorf("the webhook lets an annotated widget pass: %s", denied)
	}

	// Another colour: the Widget is changed, and the Job, whose template cannot be, is made anew.
	w.rewrite(t, withShop+"    - {name: widgets, values: {colour: blue}}\n")
	w.expect(t, w.run(time.Minute, "diff", w.name), 2, "spec.colour: green → blue", "± Job widgets/migrate", "painted blue")
	w.must(3*time.Minute, "create", w.name, "--yes")
	if colour := w.kubectl("", "-n", "widgets", "get", "widget", "first", "-o", "jsonpath={.spec.colour}"); colour != "blue" {
		t.Errorf("the widget is %s", colour)
	}

	w.kubectl("", "-n", "widgets", "patch", "widget", "first", "--type=merge", "-p", `{"spec":{"size":7}}`)
	w.expect(t, w.run(time.Minute, "diff", w.name), 2, "spec.size: 7 → 3", "kubectl")
	w.must(time.Minute, "reconcile", w.name)

	// Taken out: what they made is shown and pruned; what holds others' data wants a word.
	w.rewrite(t, environmentFile)
	w.expect(t, w.run(time.Minute, "diff", w.name), 2, "- Deployment widgets/widgets", "- Widget widgets/first", "- Namespace widgets", "add-on widgets was removed",
		"- Deployment shop/web", "- Namespace shop", "add-on shop was removed")
	w.expect(t, w.run(2*time.Minute, "reconcile", w.name), 1, "CustomResourceDefinition widgets.example.org", "--allow-prune")
	w.must(3*time.Minute, "reconcile", w.name, "--allow-prune")
	if left := w.kubectl("", "get", "crd,validatingwebhookconfiguration,namespace", "-l", "clusterup.dev/addon in (shop, widgets)", "-o", "name"); left != "" {
		t.Errorf("pruning left %s", left)
	}
	w.must(time.Minute, "diff", w.name)
}

// rewrite replaces the environment file.
func (w *world) rewrite(t *testing.T, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "environments", w.name+".yaml"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// expect checks how a run ended and what it said.
func (w *world) expect(t *testing.T, o outcome, code int, says ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("it ended with %d, want %d", o.code, code)
	}
	for _, want := range says {
		if !strings.Contains(o.out+o.err, want) {
			t.Errorf("it does not say %q", want)
		}
	}
}
