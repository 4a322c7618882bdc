// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/hint"
)

func TestBadFilesAreRefusedInOneLineWithAHint(t *testing.T) {
	const at = "environments/prod.yaml:"
	label := nameHint
	for name, c := range map[string]struct{ old, new, want, hint string }{
		"misspelt field":             {"  store:", "  sotre:", `11:3: unknown field "sotre" in spec`, "did you mean store?"},
		"misspelt field of an addon": {"      values: {thr", "      vaules: {thr", `22:7: unknown field "vaules" in spec.addons[1]`, "did you mean values?"},
		"unknown field":              {"kind: Environment", "kind: Environment\nstatus: {}", `3:1: unknown field "status"`, "there are: apiVersion, kind, metadata, spec"},
		"credentials in the file":    {"    region: eu-west-1\n  op", "    secretKey: x\n  op", `13:5: unknown field "secretKey" in spec.store`, "there are: bucket, endpoint, pathStyle, prefix, region"},
		"wrong type":                 {"development: false", "development: maybe", `6:16: spec.development has to be true or false, and is the text "maybe"`, ""},
		"a list as mapping":          {"  cluster:\n", "  cluster: []\n  x:\n", "7:12: spec.cluster has to be a mapping, and is a list", ""},
		"a field twice":              {"  timeout: 20m", "  timeout: 20m\n  timeout: 1h", "25:3: spec.timeout is given twice, first in line 24", ""},
		"version":                    {"v1alpha1", "v1", `1:13: apiVersion is "clusterup.dev/v1"`, "this clusterup reads clusterup.dev/v1alpha1"},
		"no version":                 {"apiVersion: clusterup.dev/v1alpha1\n", "", "1:1: apiVersion is missing", "this clusterup reads clusterup.dev/v1alpha1"},
		"kind":                       {"kind: Environment", "kind: Addon", `2:7: kind is "Addon"`, "it has to be Environment"},
		"no name":                    {"  name: prod", "  name:", "4:8: metadata.name is missing", label},
		"a name with capitals":       {"name: prod", "name: Prod", `4:9: metadata.name is "Prod"`, label},
		"a long name":                {"name: prod", "name: " + strings.Repeat("p", 64), `4:9: metadata.name is "` + strings.Repeat("p", 64) + `"`, label},
		"the name of another":        {"name: prod", "name: stage", "4:9: the environment in this file is called stage", "name it prod, as its file, or rename the file"},

		"no cluster": {
			"    terraform:\n      module: aws\n      variables: {region: eu-west-1, zones: [a, b], kubernetes_version: \"1.36\"}\n", "",
			"7:11: spec.cluster says neither how to make a cluster nor which to use", "terraform: {module: local}, or kubeconfig: {path: ~/.kube/config, context: NAME}",
		},
		"two clusters": {
			"    terraform:", "    kubeconfig: {path: a, context: b}\n    terraform:",
			"8:5: spec.cluster has both terraform and kubeconfig", "terraform makes a cluster, kubeconfig names one that is there: keep one of them",
		},
		"no module":     {"module: aws", "module:", "9:14: spec.cluster.terraform.module is missing", label},
		"a module path": {"module: aws", "module: ../aws", `9:15: spec.cluster.terraform.module is "../aws"`, label},

		"no store":       {"  store:\n    bucket: acme-clusterup\n    region: eu-west-1\n", "", "6:3: spec.store is missing", "store: {bucket: NAME, region: REGION}; only the module local comes with a store of its own"},
		"no bucket":      {"    bucket: acme-clusterup\n", "", "12:5: spec.store.bucket is missing", ""},
		"a bucket URL":   {"bucket: acme-clusterup", "bucket: s3://acme", `12:13: "s3://acme" is not the name of a bucket`, ""},
		"endpoint":       {"    region: eu-west-1\n  op", "    endpoint: s3.example.com:9000\n  op", `13:15: "s3.example.com:9000" is not the URL of an S3 server`, "write it like https://s3.example.com:9000"},
		"prefix":         {"    region: eu-west-1\n  op", "    prefix: ../prod/\n  op", `13:13: "../prod/" is not a folder in a bucket`, "names of letters, digits, dots, dashes and underscores, with slashes between them"},
		"prefix to root": {"    region: eu-west-1\n  op", "    prefix: /prod\n  op", `13:13: "/prod" is not a folder in a bucket`, "names of letters, digits, dots, dashes and underscores, with slashes between them"},

		"add-on twice":         {"- name: vault", "- name: consul", "21:13: add-on consul is listed twice, first at environments/prod.yaml:20:7", "keep one of them, with the values of both"},
		"an add-on's bad name": {"- name: vault", "- name: ../vault", `21:13: spec.addons[1].name is "../vault"`, label},
		"an empty add-on":      {"    - name: consul\n", "    -\n", "20:6: spec.addons[0] is empty", ""},
		"an add-on as text":    {"    - name: consul\n", "    - consul\n", `20:7: spec.addons[0] has to be a mapping, and is the text "consul"`, ""},
		"an image":             {"mirror.example.com/hub", `"a b"`, `23:23: "a b" is not the reference of an image`, ""},
		"timeout":              {"timeout: 20m", "timeout: 20", `24:12: spec.timeout: "20" is not a duration`, `write it like "90s", "5m" or "1h30m"`},
		"no time":              {"timeout: 20m", "timeout: -5m", "24:12: spec.timeout: it has to be longer than nothing", ""},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, c.old, c.new, at+c.want, c.hint) })
	}
}

func TestBadOperatorsAreRefusedBeforeAnythingIsMade(t *testing.T) {
	const at = "environments/prod.yaml:"
	const needKey = "age: age1..., or ssh: ssh-ed25519 ...; or, to hold key shares and nothing else, pgp: FILE"
	for name, c := range map[string]struct{ old, new, want, hint string }{
		"none": {
			"    - name: platform\n      age: " + ageKey + "\n    - name: security\n      ssh: " + sshKey + "\n", "",
			"14:13: spec.operators is empty, and tokens have to be sealed to somebody", "operators: [{name: NAME, age: age1...}]; age-keygen makes a key",
		},
		"twice":   {"name: security", "name: platform", "17:13: operator platform is listed twice, first at environments/prod.yaml:15:7", ""},
		"no name": {"name: security", "email: a@b.c", "17:7: spec.operators[1].name is missing", nameHint},
		"no key":  {"      ssh: " + sshKey + "\n", "", "17:7: operator security has no key", needKey},
		"two keys": {
			"      ssh:", "      age: " + otherAge + "\n      ssh:",
			"17:7: operator security has more than one key", "keep one of age, ssh, pgp and self",
		},
		"an unreadable age key": {
			ageKey, ageKey[:50], "16:12: the key of operator platform: this is not an age public key",
			"it begins with age1 and has 62 letters and digits; age-keygen -y FILE prints it",
		},
		"an unreadable SSH key": {
			sshKey, sshKey[:60], "18:12: the key of operator security: this ssh-ed25519 public key is malformed, cut short or too small",
			"copy the line of the .pub file as it is; usable are ssh-ed25519 or ssh-rsa (2048 bits or more)",
		},
		"a private key": {
			ageKey, "AGE-SECRET-KEY-1QQQQ", "16:12: the key of operator platform: this is a private key, and a public key belongs here",
			"whoever could read it should be taken to know it: make a new one",
		},
		"the key of another": {
			"ssh: " + sshKey, "age: " + ageKey, "18:12: operators platform and security have the same key",
			"one person, one operator: a share for each of them would be in one hand",
		},
		"PGP as well": {
			"      ssh:", "      pgp: keys/security.asc\n      ssh:", "17:7: operator security has more than one key", "keep one of age, ssh, pgp and self",
		},
		"self outside development": {
			"ssh: " + sshKey, "self: true", "18:13: operator security is whoever runs, which only a development environment may have",
			"name their key (age or ssh), or set spec.development: true",
		},
		"e-mail":                        {"      ssh:", "      email: security\n      ssh:", `18:14: "security" is not an e-mail address`, ""},
		"a custodian in production":     {"  development: false", "  custodian: platform", "6:14: one custodian of all key shares is only for a development environment", "name the holders in the values of the add-on, or set spec.development: true"},
		"a custodian who's no operator": {"  development: false", "  development: true\n  custodian: platfrom", "7:14: the custodian platfrom is no operator", "did you mean platform?"},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, c.old, c.new, at+c.want, c.hint) })
	}
}

func TestOnlyOneOperatorIsWhoeverRuns(t *testing.T) {
	text := strings.Replace(good, "development: false", "development: true", 1)
	text = strings.NewReplacer("age: "+ageKey, "self: true", "ssh: "+sshKey, "self: true").Replace(text)
	_, err := Load("prod", folderWith(t, "prod.yaml", text))
	if err == nil || err.Error() != "environments/prod.yaml:18:13: operators platform and security are both whoever runs" {
		t.Errorf("got %v", err)
	}
}

func refuses(t *testing.T, old, replacement, want, wantHint string) {
	t.Helper()
	if strings.Count(good, old) != 1 {
		t.Fatalf("%q is %d times in the good file", old, strings.Count(good, old))
	}
	_, err := Load("prod", folderWith(t, "prod.yaml", strings.Replace(good, old, replacement, 1)))
	if err == nil {
		t.Fatal("it was read")
	}
	if err.Error() != want || hint.Of(err) != wantHint {
		t.Errorf("got  %s (%s)\nwant %s (%s)", err, hint.Of(err), want, wantHint)
	}
	if strings.ContainsAny(err.Error(), "\n") {
		t.Error("it has more than one line")
	}
}
