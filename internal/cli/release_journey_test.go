// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/store"
)

// TestReleaseJourney proves what the commands around releases say and do, one after the
// other on one environment: what was changed and by whom, going back, what is damaged,
// what is held back by what fails, and what is collected.
func TestReleaseJourney(t *testing.T) {
	u := newUser(t)
	u.typesFirst(t, "release list").want(t, ExitOK, "team has no releases yet\n", "")
	u.typesFirst(t, "history").want(t, ExitOK, "team: nobody has changed it yet\n", "")
	u.typesFirst(t, "release show").wantOneLine(t, "team has no current release", "clusterup release list team")
	u.typesAfter(t, "release rollback", "previous", "--yes").wantOneLine(t, "team has no previous release", "clusterup release list team")
	u.setting(t, "info")
	u.types(t, "create", "--yes").want(t, ExitOK, "add-on demo", "")
	u.setting(t, "debug")
	u.typesFirst(t, "release diff").want(t, ExitOK, "demo 1.0.0\n  ~ ConfigMap demo/settings\n      data.level: info → debug\n", "")
	u.types(t, "create", "--yes").want(t, ExitOK, "add-on demo", "")
	for _, leg := range []struct {
		name string
		run  func(t *testing.T, u *user)
	}{
		{"told", releasesTold},
		{"damaged", releaseDamaged},
		{"back", wentBack},
		{"refused", pruneRefused},
		{"failing", oneFails},
		{"late", outOfTime},
		{"collected", releasesCollected},
	} {
		t.Run(leg.name, func(t *testing.T) { leg.run(t, u) })
	}
}

// typesFirst is a command of several words with nothing behind the environment.
func (u *user) typesFirst(t *testing.T, command string, flags ...string) said {
	t.Helper()
	return u.types(t, append(strings.Fields(command), flags...)...)
}

// typesAfter is a command with more arguments after the environment.
func (u *user) typesAfter(t *testing.T, command string, args ...string) said {
	t.Helper()
	words := append(strings.Fields(command), u.file)
	words = append(words, args...)
	return u.typesWords(t.Context(), append(words, "--identity", u.identity)...)
}

// setting is the level that the add-on's folder has.
func (u *user) setting(t *testing.T, level string) {
	t.Helper()
	u.manifest(t, "demo", "settings", "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {level: "+level+"}}")
}

func (u *user) folder(addon string) string {
	return filepath.Join(filepath.Dir(u.file), "../addons", addon)
}

func (u *user) manifest(t *testing.T, addon, name, text string) {
	t.Helper()
	write(t, filepath.Join(u.folder(addon), "manifests", name+".yaml"), text)
}

// level is what the cluster has.
func (u *user) level(t *testing.T) string {
	t.Helper()
	m, err := u.client.CoreV1().ConfigMaps("demo").Get(t.Context(), "settings", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m.Data["level"]
}

func (u *user) releases(t *testing.T) []app.Release {
	t.Helper()
	var list struct{ Releases []app.Release }
	fromJSON(t, u.typesFirst(t, "release list", "-o", "json"), &list)
	return list.Releases
}

func releasesTold(t *testing.T, u *user) {
	all := u.releases(t)
	if len(all) != 2 || !all[0].Current || !all[1].Previous || all[0].Objects != 2 || !strings.Contains(all[0].Who, "@") || all[0].First.Before(all[1].First) {
		t.Fatalf("%+v", all)
	}
	short := app.Short(all[1].Digest)
	u.typesFirst(t, "release list").want(t, ExitOK, short, "")
	u.typesFirst(t, "release list").want(t, ExitOK, "demo 1.0.0  current\n", "")
	u.typesFirst(t, "release show").want(t, ExitOK, "    ConfigMap demo/settings\n", "")
	u.typesAfter(t, "release show", short).want(t, ExitOK, "previous\n\n  demo 1.0.0\n", "")
	u.typesAfter(t, "release show", "current", "-o", "json").want(t, ExitOK, `"digest": "`+all[0].Digest, "")
	u.typesFirst(t, "release diff").want(t, ExitOK, "no object differs\n", "")
	u.typesAfter(t, "release diff", "current", "previous").want(t, ExitOK, "data.level: debug → info\n", "")
	var delta app.Comparison
	fromJSON(t, u.typesAfter(t, "release diff", short, "current", "-o", "json"), &delta)
	if delta.From != all[1].Digest || len(delta.Addons) != 1 || delta.Addons[0].Changes[0].Fields[0].New != "debug" {
		t.Errorf("%+v", delta)
	}
	u.typesAfter(t, "release show", "beef").wantOneLine(t, `team has no release "beef"`, "")
	u.typesAfter(t, "release rollback").wantOneLine(t, "does not take 1 arguments", "--help")
	u.typesAfter(t, "release gc", "--keep", "0", "--yes").wantOneLine(t, "0 is no number", "--keep 1")

	u.typesFirst(t, "history").want(t, ExitOK, "create     "+app.Short(all[0].Digest)+"  done", "")
	var told struct{ Runs []app.Ran }
	fromJSON(t, u.typesFirst(t, "history", "--last", "1", "-o", "json"), &told)
	if len(told.Runs) != 1 || told.Runs[0].Outcome != "done" || told.Runs[0].Release != all[0].Digest || told.Runs[0].Seconds == 0 {
		t.Errorf("%+v", told)
	}
	u.typesFirst(t, "history", "--last", "1").want(t, ExitOK, "and 1 older", "")
}

// A changed byte, a missing object and a truncated index are refused by name, in what
// list says and when they are to be applied, and nothing is applied.
func releaseDamaged(t *testing.T, u *user) {
	b, err := store.Open(t.Context(), store.Config{Bucket: u.s3.Bucket, Prefix: "team", Region: u.s3.Region, Endpoint: u.s3.Endpoint, PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	old := u.releases(t)[1]
	index, object := "releases/"+old.Digest+".json", "objects/sha256/"+old.Addons[0].Objects+".jsonl"
	get := func(key string) []byte {
		data, _, err := b.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	put := func(key string, data []byte) {
		if err := b.Put(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
	}
	for key, data := range map[string][]byte{index: get(index), object: get(object)} {
		put(key, data[:len(data)-2])
		u.typesAfter(t, "release rollback", old.Digest, "--yes").wantOneLine(t, key+" ", "")
		put(key, []byte(strings.Replace(string(data), "settings", "settinGs", 1)))
		u.typesAfter(t, "release rollback", "previous", "--yes").wantOneLine(t, key+" ", "")
		put(key, data)
	}
	data := get(object)
	if err := b.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	u.typesAfter(t, "release rollback", "previous", "--yes").wantOneLine(t, object+" is missing", "")
	u.typesFirst(t, "release list").want(t, ExitOK, "previous, damaged: "+object+" is missing\n", "")
	put(object, data)
	if u.level(t) != "debug" {
		t.Error("something was applied")
	}
}

func wentBack(t *testing.T, u *user) {
	all := u.releases(t)
	asked := u.typesAfter(t, "release rollback", "previous")
	asked.want(t, ExitError, "", "data.level: debug → info")
	asked.want(t, ExitError, "", "hint: give --yes")
	u.typesAfter(t, "release rollback", "previous", "--yes").want(t, ExitOK,
		"the environment's file still asks for release "+app.Short(all[0].Digest)+": the next create goes there\n", "demo/apply")
	if now := u.releases(t); u.level(t) != "info" || !now[1].Current || !now[0].Previous {
		t.Errorf("level %s, %+v", u.level(t), now)
	}
	u.typesAfter(t, "release rollback", "current", "--yes", "-o", "json").want(t, ExitOK, `"changed": false`, "")
	u.types(t, "create", "--yes").want(t, ExitOK, "", "demo/apply")
	u.typesFirst(t, "history").want(t, ExitOK, "release rollback", "")
	if u.level(t) != "debug" {
		t.Error("create did not go forward again")
	}
}

// What may not be pruned is refused before anything is changed; diff still shows it.
func pruneRefused(t *testing.T, u *user) {
	for _, name := range []string{"a", "b", "c"} {
		u.manifest(t, "demo", name, "{apiVersion: v1, kind: ConfigMap, metadata: {name: "+name+"}}")
	}
	u.types(t, "reconcile").want(t, ExitOK, "", "demo/apply")
	for _, name := range []string{"a", "b", "c"} {
		u.manifest(t, "demo", name, "")
	}
	u.setting(t, "warn")
	over := "3 of the 5 objects of add-on demo would be deleted, which is more than half"
	u.types(t, "diff").want(t, ExitChanges, "release/prune\n  ! "+over+": needs --allow-prune\n", "")
	u.types(t, "reconcile").wantOneLine(t, over, "--allow-prune")
	u.types(t, "create").want(t, ExitError, "", "- ConfigMap demo/a  (no longer in the release)")
	if u.level(t) != "debug" {
		t.Error("a run that was refused changed something")
	}
	u.types(t, "reconcile", "--allow-prune").want(t, ExitOK, "", "release/prune")
}

// An add-on that fails holds back those that need it and nobody else, and the end of the
// run says which is which.
func oneFails(t *testing.T, u *user) {
	for name, needs := range map[string]string{"bad": "", "worse": "bad", "good": ""} {
		write(t, filepath.Join(u.folder(name), "addon.yaml"),
			"apiVersion: clusterup.dev/v1alpha1\nkind: Addon\nname: "+name+"\nversion: 1.0.0\ndescription: For tests\nnamespace: demo\nneeds: ["+needs+"]\n")
		u.manifest(t, name, "one", "{apiVersion: v1, kind: ConfigMap, metadata: {name: "+name+"}}")
	}
	u.manifest(t, "bad", "two", "{apiVersion: v1, kind: ConfigMap, metadata: {name: Not_A_Name}}")
	u.replace(t, "addons: [{name: demo}]", "addons: [{name: demo}, {name: worse}, {name: bad}, {name: good}]")
	end := u.types(t, "create", "--yes")
	end.want(t, ExitError, "\n  failed                  bad/apply\n  held back by bad/apply  bad/ready, worse/apply, worse/ready, release/prune, release/promote\n", "error: bad/apply: ")
	if strings.Contains(end.err, "error: worse") {
		t.Errorf("what was held back is an error of its own:\n%s", end.err)
	}
	for name, want := range map[string]bool{"good": true, "worse": false} {
		_, err := u.client.CoreV1().ConfigMaps("demo").Get(t.Context(), name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) == want {
			t.Errorf("%s: %v", name, err)
		}
	}
	var last struct{ Runs []app.Ran }
	fromJSON(t, u.typesFirst(t, "history", "--last", "1", "-o", "json"), &last)
	if r := last.Runs[0]; r.Outcome != "failed" || !strings.HasPrefix(r.Error, "bad/apply: ") {
		t.Errorf("%+v", r)
	}
	var finish finished
	fromJSON(t, u.types(t, "create", "--yes", "-o", "json"), &finish)
	blocked := 0
	for _, step := range finish.Steps {
		if step.Outcome == converge.Blocked && step.Needs == "bad/apply" {
			blocked++
		}
	}
	if blocked != 5 {
		t.Errorf("%+v", finish.Steps)
	}
	u.replace(t, "addons: [{name: demo}, {name: worse}, {name: bad}, {name: good}]", "addons: [{name: demo}]")
	u.types(t, "create", "--yes").want(t, ExitOK, "", "release/prune")
}

// A run that is out of time in the middle says what it was at, that it was stopped, and
// how to go on, and the history says so too.
func outOfTime(t *testing.T, u *user) {
	u.manifest(t, "demo", "web", "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {type: LoadBalancer, ports: [{port: 80}]}}")
	end := u.types(t, "create", "--yes", "--timeout", "6s")
	end.want(t, ExitError, "", "error: demo/ready: ")
	end.want(t, ExitError, "", "error: stopped: the run's deadline of 6s has passed\nhint: run it again: it goes on from here; --timeout gives it longer\n")
	u.typesFirst(t, "history", "--last", "1").want(t, ExitOK, "stopped", "")
	u.typesAfter(t, "release rollback", "current", "--yes").want(t, ExitOK, "", "release/prune")
}

func releasesCollected(t *testing.T, u *user) {
	n := len(u.releases(t))
	asked := u.typesFirst(t, "release gc", "--keep", "1")
	asked.want(t, ExitError, "", "  to delete: ")
	asked.want(t, ExitError, "", "hint: give --yes")
	if len(u.releases(t)) != n {
		t.Error("something was collected without a yes")
	}
	u.typesFirst(t, "release gc", "--keep", "1", "--yes").want(t, ExitOK, "team: deleted ", "  to delete: ")
	left := u.releases(t)
	for _, r := range left {
		if len(r.Damage) > 0 {
			t.Errorf("%+v", r)
		}
	}
	if len(left) >= n || len(left) > 3 {
		t.Errorf("%d of %d are left", len(left), n)
	}
	u.typesFirst(t, "release gc", "--keep", "1", "--yes").want(t, ExitOK, "team: nothing to collect", "")
	u.types(t, "diff").want(t, ExitChanges, "Service demo/web", "")
}

// replace edits the environment's file.
func (u *user) replace(t *testing.T, old, text string) {
	t.Helper()
	data := read(t, u.file)
	if !strings.Contains(data, old) {
		t.Fatalf("%q is not in\n%s", old, data)
	}
	write(t, u.file, strings.Replace(data, old, text, 1))
}
