// SPDX-License-Identifier: Apache-2.0

package terraform_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/terraform"
	"clusterup.dev/clusterup/internal/testservers"
)

// place is a bucket and a working folder, shared by the runs of one test.
type place struct {
	server *testservers.S3Server
	bucket *store.S3
	binary string
	dir    string
}

func newPlace(t testing.TB) *place {
	t.Helper()
	binary, err := terraform.Find(filepath.Dir(testservers.Bin(t, "s3")))
	if err != nil {
		testservers.Missing(t, "%v", err)
	}
	s := testservers.S3(t)
	b, err := store.Open(t.Context(), store.Config{
		Bucket: s.Bucket, Prefix: "env", Region: s.Region, Endpoint: s.Endpoint, PathStyle: true,
		AccessKey: s.AccessKey, SecretKey: s.SecretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &place{server: s, bucket: b, binary: binary, dir: t.TempDir()}
}

func (p *place) config(vars map[string]any) terraform.Config {
	return terraform.Config{
		Binary: p.binary, WorkDir: p.dir, Module: os.DirFS("testdata/module"),
		Backend: terraform.S3{
			Bucket: p.server.Bucket, Prefix: "env", Region: p.server.Region, Endpoint: p.server.Endpoint, PathStyle: true,
		}.Backend(),
		Env: map[string]secret.Value{
			"AWS_ACCESS_KEY_ID": secret.NewString(p.server.AccessKey), "AWS_SECRET_ACCESS_KEY": p.server.SecretKey,
		},
		Vars: vars,
	}
}

func (p *place) terraform(t testing.TB, generation, command string) *terraform.Terraform {
	t.Helper()
	tf, err := terraform.New(p.config(map[string]any{"generation": generation, "command": command}))
	if err != nil {
		t.Fatal(err)
	}
	return tf
}

func (p *place) readLock(ctx context.Context) ([]byte, error) {
	data, _, err := p.bucket.Get(ctx, terraform.LockKey)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return data, err
}

func plan(t *testing.T, tf *terraform.Terraform) terraform.Plan {
	t.Helper()
	p, err := tf.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t *testing.T, tf *terraform.Terraform) {
	t.Helper()
	if err := tf.Apply(t.Context(), plan(t, tf)); err != nil {
		t.Fatal(err)
	}
}

// listen collects progress.
func listen(ctx context.Context) (context.Context, func() string) {
	var mu sync.Mutex
	var said []string
	ctx = converge.WithProgress(ctx, func(s string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, s)
	})
	return ctx, func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(said, "\n")
	}
}

// until waits for what another process does.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	err := converge.Until(t.Context(), what, 30*time.Second, func(context.Context) (bool, string, error) {
		return done(), "", nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestPlanApplyOutputsDestroy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tf := p.terraform(t, "1", "echo made with $TOKEN")
	if _, err := tf.Outputs(t.Context()); !errors.Is(err, converge.ErrNotYet) {
		t.Errorf("outputs before the first apply: %v", err)
	}
	if err := tf.Destroy(t.Context()); err != nil {
		t.Errorf("destroy of nothing: %v", err)
	}
	first := plan(t, tf)
	want := []converge.Change{
		{Subject: "output generation", Action: converge.Update},
		{Subject: "terraform_data.first", Action: converge.Create},
		{Subject: "terraform_data.second", Action: converge.Create},
	}
	if diff := cmp.Diff(want, first.Changes); diff != "" {
		t.Error(diff)
	}
	ctx, said := listen(t.Context())
	if err := tf.Apply(ctx, first); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"terraform_data.first: creating", "terraform_data.second: made with in-the-environment"} {
		if !strings.Contains(said(), line) {
			t.Errorf("progress lacks %q:\n%s", line, said())
		}
	}
	if strings.Contains(said(), "echo") {
		t.Errorf("progress shows a command line:\n%s", said())
	}
	if again := plan(t, tf); len(again.Changes) != 0 || again.File != "" {
		t.Errorf("after apply: %+v", again)
	}
	outputs, err := tf.Outputs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]json.RawMessage{"generation": json.RawMessage(`"1"`)}, outputs); diff != "" {
		t.Error(diff)
	}
	next := plan(t, p.terraform(t, "2", "true"))
	want = []converge.Change{
		{Subject: "output generation", Action: converge.Update},
		{Subject: "terraform_data.first", Action: converge.Update},
		{Subject: "terraform_data.second", Action: converge.Replace},
	}
	if diff := cmp.Diff(want, next.Changes, cmpopts.IgnoreFields(converge.Change{}, "Note")); diff != "" {
		t.Error(diff)
	}
	ctx, said = listen(t.Context())
	if err := tf.Destroy(ctx); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said(), "terraform_data.first: destroyed generation 1") {
		t.Errorf("progress of destroy:\n%s", said())
	}
	if _, err := tf.Outputs(t.Context()); !errors.Is(err, converge.ErrNotYet) {
		t.Errorf("outputs after destroy: %v", err)
	}
	for _, left := range []string{"run-*.json", "module/errored.tfstate"} {
		if files, _ := filepath.Glob(filepath.Join(p.dir, left)); len(files) > 0 {
			t.Errorf("%s is left", files)
		}
	}
}

func TestAnOvertakenPlanIsStale(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tf := p.terraform(t, "1", "true")
	first, second := plan(t, tf), plan(t, tf)
	if err := tf.Apply(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	for name, stale := range map[string]terraform.Plan{"overtaken": second, "applied": first} {
		if err := tf.Apply(t.Context(), stale); !errors.Is(err, converge.ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFailureNamesItsCause(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	tf := p.terraform(t, "1", "echo error: the bridge is taken; false --token hunter2")
	err := tf.Apply(t.Context(), plan(t, tf))
	if err == nil || err.Error() != "terraform apply: terraform_data.second: the bridge is taken" {
		t.Errorf("error %v", err)
	}
	var failed *terraform.Error
	if !errors.As(err, &failed) || len(failed.Diagnostics) != 1 {
		t.Errorf("%+v", failed)
	}
	apply(t, p.terraform(t, "1", "true")) // what failed is made anew
}

// A user's shell may be set up for an AWS account and for Terraform; neither
// reaches ours.
func TestTheShellsSettingsStayOut(t *testing.T) {
	p := newPlace(t)
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_REGION"} {
		t.Setenv(name, "http://127.0.0.1:1/absent")
	}
	t.Setenv("TF_CLI_ARGS_plan", "-no-such-flag")
	t.Setenv("TF_WORKSPACE", "other")
	t.Setenv("TF_DATA_DIR", "/absent")
	t.Setenv("TF_VAR_generation", "2")
	apply(t, p.terraform(t, "1", `test -z "$AWS_PROFILE$AWS_SESSION_TOKEN$TF_WORKSPACE"`))
	if entries, err := p.bucket.List(t.Context(), terraform.StateKey); err != nil || len(entries) != 1 {
		t.Errorf("state: %v, %v", entries, err)
	}
}

func TestVariablesAreChecked(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for name, tc := range map[string]struct {
		vars map[string]any
		want string
	}{
		"undeclared": {map[string]any{"generation": "1", "command": "true", "nodez": 3}, `has no variable "nodez"`},
		"wrong type": {map[string]any{"generation": []int{1}, "command": "true"}, "Invalid value for input variable"},
		"missing":    {map[string]any{"generation": "1"}, `variable "command" is not set`},
	} {
		tf, err := terraform.New(p.config(tc.vars))
		if err != nil {
			t.Fatal(err)
		}
		_, err = tf.Plan(t.Context())
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), p.dir) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(hint.Of(err), "spec.cluster.terraform.variables") {
			t.Errorf("%s: hint %q", name, hint.Of(err))
		}
	}
	if files, _ := filepath.Glob(filepath.Join(p.dir, "*.tf*")); len(files) != 0 {
		t.Errorf("left: %s", files)
	}
}

func TestInitRunsOnlyWhenNeeded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	steps := []struct {
		name string
		init bool
		edit func(*terraform.Config)
	}{
		{"first", true, func(*terraform.Config) {}},
		{"again", false, func(*terraform.Config) {}},
		{"other variables", false, func(c *terraform.Config) { c.Vars["command"] = "false" }},
		{"other module", true, func(c *terraform.Config) { c.Module = moved{c.Module} }},
		{"other backend", true, func(c *terraform.Config) { c.Backend["key"] = "env/other.tfstate" }},
	}
	for _, step := range steps {
		c := p.config(map[string]any{"generation": "1", "command": "true"})
		step.edit(&c)
		tf, err := terraform.New(c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, said := listen(t.Context())
		start := time.Now()
		if _, err := tf.Plan(ctx); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if ran := strings.Contains(said(), "preparing Terraform"); ran != step.init {
			t.Errorf("%s: init ran: %v", step.name, ran)
		}
		t.Logf("%s: %s", step.name, time.Since(start).Round(time.Millisecond))
	}
	if exists(filepath.Join(p.dir, "module", "more.tf")) {
		t.Error("a file that the module no longer has is still there")
	}
}

// moved is a module with one file more.
type moved struct{ fs.FS }

func (m moved) Open(name string) (fs.File, error) {
	if name == "more.tf" {
		return os.Open("testdata/more.tf")
	}
	return m.FS.Open(name)
}

func (m moved) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(m.FS, name)
	if err != nil || name != "." {
		return entries, err
	}
	more, err := fs.ReadDir(os.DirFS("testdata"), ".")
	for _, e := range more {
		if e.Name() == "more.tf" {
			entries = append(entries, e)
		}
	}
	return entries, err
}

// BenchmarkNothingToDo is what a run without changes pays for Terraform.
func BenchmarkNothingToDo(b *testing.B) {
	p := newPlace(b)
	tf := p.terraform(b, "1", "true")
	first, err := tf.Plan(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if err := tf.Apply(b.Context(), first); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if again, err := tf.Plan(b.Context()); err != nil || again.File != "" {
			b.Fatalf("%+v, %v", again, err)
		}
		if _, err := tf.Outputs(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
