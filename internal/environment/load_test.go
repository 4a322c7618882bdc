// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"clusterup.dev/clusterup/internal/hint"
)

const (
	ageKey   = "age1k9rv7kkh684knj3q80wmhmc2fy8az5zsr8yag24zw2m7skzchv0squeygv"
	otherAge = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
	sshKey   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA5G40OKbhNP5gAm6r9EMpyumpf2n88y6aN2LaPmRt2V"
)

// good is a valid file that tests spoil, a line at a time.
const good = `apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata:
  name: prod
spec:
  development: false
  cluster:
    terraform:
      module: aws
      variables: {region: eu-west-1, zones: [a, b], kubernetes_version: "1.36"}
  store:
    bucket: acme-clusterup
    region: eu-west-1
  operators:
    - name: platform
      age: ` + ageKey + `
    - name: security
      ssh: ` + sshKey + `
  addons:
    - name: consul
    - name: vault
      values: {threshold: 2, holders: [{operator: platform}, {operator: security}]}
  images: {docker.io: mirror.example.com/hub}
  timeout: 20m
`

// folderWith writes files (name, text) to a folder called environments.
func folderWith(t testing.TB, files ...string) string {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("environments", 0o755); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join("environments", files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "environments"
}

func TestAFileIsReadByNameAndByPath(t *testing.T) {
	dir := folderWith(t, "prod.yaml", good)
	want := Spec{
		Cluster: Cluster{Terraform: &Terraform{Module: "aws", Variables: map[string]any{
			"region": "eu-west-1", "zones": []any{"a", "b"}, "kubernetes_version": "1.36",
		}}},
		Store:     Store{Bucket: "acme-clusterup", Prefix: "prod", Region: "eu-west-1"},
		Operators: []Operator{{Name: "platform", Age: ageKey}, {Name: "security", SSH: sshKey}},
		Addons: []AddonRef{{Name: "consul"}, {Name: "vault", Values: map[string]any{
			"threshold": 2, "holders": []any{map[string]any{"operator": "platform"}, map[string]any{"operator": "security"}},
		}}},
		Images:  map[string]string{"docker.io": "mirror.example.com/hub"},
		Timeout: Duration(20 * time.Minute),
	}
	for _, name := range []string{"prod", "environments/prod.yaml", "./environments/prod.yaml"} {
		e, err := Load(name, dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, e.Spec, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWhatTheFileLeavesOutHasADefault(t *testing.T) {
	dir := folderWith(t, "x.yaml", `apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: x}
spec:
  cluster: {kubeconfig: {path: keys/config, context: c}}
  store: {bucket: b}
  operators: [{name: a, age: `+ageKey+`}]
`)
	e, err := Load("x", dir)
	if err != nil {
		t.Fatal(err)
	}
	if e.Spec.Timeout != defaultTimeout || e.Spec.Store.Prefix != "x" || e.Spec.Cluster.Kubeconfig.Path != "environments/keys/config" {
		t.Errorf("got %+v, %+v", e.Spec, e.Spec.Cluster.Kubeconfig)
	}
}

func TestAnEnvironmentThatIsNotThereIsSaidSo(t *testing.T) {
	dir := folderWith(t, "prod.yaml", good, "stage.yaml", "", "notes.txt", "", "Old One.yaml", "")
	if err := os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]string{
		"prd":                {`no environment "prd": there is no file environments/prd.yaml`, "did you mean prod?"},
		"laboratory":         {`no environment "laboratory": there is no file environments/laboratory.yaml`, "there are: prod, stage"},
		"":                   {`"" is not the name of an environment`, nameHint},
		"Prod":               {`"Prod" is not the name of an environment`, nameHint},
		"..":                 {`".." is not the name of an environment`, nameHint},
		"-prod":              {`"-prod" is not the name of an environment`, nameHint},
		"elsewhere/prod.yml": {"reading the environment elsewhere/prod.yml: no such file or directory", ""},
		"x.yaml":             {"reading the environment x.yaml: no such file or directory", ""},
		"./environments":     {"reading the environment ./environments: is a directory", ""},
		"folder":             {"reading the environment environments/folder.yaml: is a directory", ""},
		"stage":              {"environments/stage.yaml: it is empty", ""},
	} {
		_, err := Load(name, dir)
		if err == nil || err.Error() != want[0] || hint.Of(err) != want[1] {
			t.Errorf("%q: got %v (%s)\nwant %s (%s)", name, err, hint.Of(err), want[0], want[1])
		}
	}
	if got := Names(dir); !slices.Equal(got, []string{"prod", "stage"}) {
		t.Errorf("the names are %q", got)
	}
	_, err := Load("x", "nowhere")
	if want := "there is no environment in the folder nowhere; name the path of a file instead"; hint.Of(err) != want {
		t.Errorf("got %s, want %s", hint.Of(err), want)
	}
}

func TestAFileCannotBeAnyOtherLargeThing(t *testing.T) {
	dir := folderWith(t, "big.yaml", strings.Repeat("#", maxFile+1))
	if _, err := Load("big", dir); err == nil || err.Error() != "reading the environment environments/big.yaml: it is larger than 1 MiB" {
		t.Errorf("got %v", err)
	}
}

func TestLaterErrorsPointIntoTheFile(t *testing.T) {
	e, err := Load("prod", folderWith(t, "prod.yaml", good))
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("5 is above the 3 shares")
	for _, c := range []struct {
		path []any
		want string
	}{
		{[]any{"spec", "addons", 1, "values", "threshold"}, "environments/prod.yaml:22:27: threshold: 5 is above the 3 shares"},
		{[]any{"spec", "addons", 1, "values", "holders", 1, "operator"}, "environments/prod.yaml:22:73: threshold: 5 is above the 3 shares"},
		{[]any{"spec", "addons", 1, "values", "replicas"}, "environments/prod.yaml:22:15: threshold: 5 is above the 3 shares"},
		{[]any{"spec", "addons", 0, "values", "replicas"}, "environments/prod.yaml:20:7: threshold: 5 is above the 3 shares"},
		{[]any{"spec", "cluster", "terraform", "variables", "region"}, "environments/prod.yaml:10:27: threshold: 5 is above the 3 shares"},
	} {
		err := e.Errorf(c.path, "threshold: %w", cause)
		if err.Error() != c.want || !errors.Is(err, cause) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func FuzzLoadNeverPanics(f *testing.F) {
	f.Add([]byte(good))
	for _, sample := range []string{"local.yaml", "existing.yaml.example"} {
		data, err := os.ReadFile(filepath.Join(folder, sample))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parse("dir/f.yaml", data)
		switch {
		case err == nil && !namePattern.MatchString(e.Metadata.Name):
			t.Errorf("it has no name: %+v", e)
		case err != nil && (!strings.HasPrefix(err.Error(), "dir/f.yaml") || strings.ContainsAny(err.Error(), "\n\r")):
			t.Errorf("not one line with the file: %q", err)
		}
	})
}
