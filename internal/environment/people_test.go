// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"path/filepath"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

func identity(t testing.TB) secret.Recipient {
	t.Helper()
	id, err := secret.CreateIdentity(filepath.Join(t.TempDir(), "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient()
}

func TestEveryOperatorHasAKey(t *testing.T) {
	self := identity(t)
	text := strings.Replace(good, "development: false", "development: true", 1)
	e, err := Load("prod", folderWith(t, "prod.yaml", strings.Replace(text, "ssh: "+sshKey, "self: true", 1)))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := e.OperatorKeys(self)
	if err != nil || len(keys) != 2 || keys["platform"].String() != ageKey || !keys["security"].Equal(self) {
		t.Errorf("got %v, %v", keys, err)
	}
	if o, ok := e.Self(); !ok || o.Name != "security" {
		t.Errorf("whoever runs is %+v", o)
	}
	_, err = e.OperatorKeys(secret.Recipient{})
	if err == nil || err.Error() != "operator security is whoever runs, who has no identity" || hint.Of(err) != "name one with --identity FILE" {
		t.Errorf("without an identity: %v (%s)", err, hint.Of(err))
	}
	_, err = e.OperatorKeys(keys["platform"])
	if err == nil || err.Error() != "environments/prod.yaml:18:13: operators platform and security have the same key" {
		t.Errorf("whoever runs is listed as well: %v", err)
	}
}

func TestWhoeverRunsNeedNotBeAnOperator(t *testing.T) {
	e, err := Load("prod", folderWith(t, "prod.yaml", good))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := e.Self(); ok {
		t.Error("somebody is whoever runs")
	}
	keys, err := e.OperatorKeys(identity(t))
	if err != nil || len(keys) != 2 || keys["security"].String() != sshKey {
		t.Errorf("got %v, %v", keys, err)
	}
}
