// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/secret"
)

const folder = "../../environments"

func TestTheLocalEnvironmentIsValidAsItIs(t *testing.T) {
	e, err := Load("local", folder)
	if err != nil {
		t.Fatal(err)
	}
	if e.Spec.Cluster.Terraform.Module != ModuleLocal || !e.LocalStore() {
		t.Errorf("it does not use the module local and its store: %+v", e.Spec)
	}
	self, ok := e.Self()
	if !ok || self.Name != e.Spec.Custodian || !e.Spec.Development {
		t.Errorf("whoever runs is not the custodian of a development environment: %+v", self)
	}
	if got := time.Duration(e.Spec.Timeout); got != 30*time.Minute {
		t.Errorf("the timeout is %s", got)
	}
	if got, want := e.At("spec", "addons", 1, "values", "threshold"), folder+"/local.yaml:43:20"; got != want {
		t.Errorf("the threshold is at %s, want %s", got, want)
	}
}

func TestTheSampleForAnExistingClusterIsValidAsItIs(t *testing.T) {
	t.Setenv("HOME", "/home/jo")
	e, err := Load(folder+"/existing.yaml.example", folder)
	if err != nil {
		t.Fatal(err)
	}
	if got := *e.Spec.Cluster.Kubeconfig; got != (Kubeconfig{Path: "/home/jo/.kube/config", Context: "my-cluster"}) {
		t.Errorf("the cluster is %+v", got)
	}
	if e.LocalStore() || e.Spec.Store.Prefix != "existing" {
		t.Errorf("the store is %+v", e.Spec.Store)
	}
	keys, err := e.OperatorKeys(secret.Recipient{})
	if err != nil || len(keys) != 2 {
		t.Errorf("the keys are %v, %v", keys, err)
	}
}
