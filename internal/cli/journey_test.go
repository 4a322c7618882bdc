// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/store"
)

// TestJourney proves the contract for scripts, command by command: exit codes,
// what is on which stream, and that nothing is done without a yes.
func TestJourney(t *testing.T) {
	u := newUser(t)
	for _, leg := range []struct {
		name string
		run  func(t *testing.T, u *user)
	}{
		{"a question without a terminal", unasked},
		{"create", created},
		{"drift", drifted},
		{"locked", lockedOut},
		{"stopped", stopped},
		{"unreachable", outOfReach},
	} {
		t.Run(leg.name, func(t *testing.T) { leg.run(t, u) })
	}
}

func unasked(t *testing.T, u *user) {
	u.types(t, "create").want(t, ExitError, "", "error: there is no terminal to ask on\nhint: give --yes")
	if s := u.types(t, "create"); !strings.Contains(s.err, "+ ConfigMap demo/settings") || strings.Contains(s.err, "✓") {
		t.Errorf("the plan is not shown, or something was done:\n%s", s.err)
	}
	u.types(t, "destroy").wantOneLine(t, "no terminal", "--yes")
	u.types(t, "destroy", "--purge").wantOneLine(t, "no terminal", "--yes")
	_, err := u.client.CoreV1().Namespaces().Get(t.Context(), "demo", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("something was made: %v", err)
	}
	u.types(t, "create", "--only", "nonsense", "--yes").wantOneLine(t, `no step "nonsense"`, "demo/apply")
	u.types(t, "kubeconfig").want(t, ExitOK, "current-context: test", "")
	u.types(t, "unlock").want(t, ExitOK, "nobody held the lock of team", "")
}

func created(t *testing.T, u *user) {
	u.types(t, "diff").want(t, ExitChanges, "+ ConfigMap demo/settings", "")
	u.types(t, "create", "--yes").want(t, ExitOK, "add-on demo", "demo/apply")
	u.types(t, "create", "--yes").want(t, ExitOK, "team: nothing to do (", "")
	u.types(t, "create").want(t, ExitOK, "team: nothing to do (", "") // there is nothing to ask
	u.types(t, "diff").want(t, ExitOK, "nothing to do\n", "")
	u.types(t, "status").want(t, ExitOK, "1 of 1 ready", "")
	var end finished
	fromJSON(t, u.types(t, "create", "--yes", "-o", "json"), &end)
	if end.Changed || end.Environment != "team" {
		t.Errorf("%+v", end)
	}
}

func drifted(t *testing.T, u *user) {
	_, err := u.client.CoreV1().ConfigMaps("demo").Patch(t.Context(), "settings", types.MergePatchType,
		[]byte(`{"data":{"level":"debug"}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		t.Fatal(err)
	}
	u.types(t, "diff").want(t, ExitChanges, "data.level: debug → info  (set by kubectl-edit", "")
	answer := u.types(t, "diff", "-o", "json")
	var diff struct{ Steps []stepPlan }
	fromJSON(t, answer, &diff)
	if answer.code != ExitChanges || len(diff.Steps) != 1 || diff.Steps[0].Step != "demo/apply" || diff.Steps[0].Changes[0].Action != converge.Update {
		t.Errorf("exit code %d, %+v", answer.code, diff)
	}
	var status app.Status
	answer = u.types(t, "status", "-o", "json")
	fromJSON(t, answer, &status)
	if answer.code != ExitDegraded || status.Healthy {
		t.Errorf("exit code %d, %+v", answer.code, status)
	}
	u.types(t, "reconcile").want(t, ExitOK, "", "demo/apply")
	u.types(t, "status").want(t, ExitOK, "none", "")
}

func lockedOut(t *testing.T, u *user) {
	b, err := store.Open(t.Context(), store.Config{
		Bucket: u.s3.Bucket, Prefix: "team", Region: u.s3.Region, Endpoint: u.s3.Endpoint, PathStyle: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	lease, err := store.Acquire(t.Context(), b, store.LockOptions{Owner: "ann@elsewhere pid 7", Operation: "create"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lease.Release(t.Context()) }()
	for _, command := range [][]string{{"create", "--yes"}, {"reconcile"}, {"destroy", "--yes"}} {
		u.types(t, command...).wantOneLine(t, "ann@elsewhere pid 7", "clusterup unlock team")
	}
	waited := u.types(t, "reconcile", "--lock-timeout", "600ms")
	waited.want(t, ExitError, "", "error: locked: held by ann@elsewhere pid 7 (create) since ")
	if n := strings.Count(waited.err, "waiting up to 600ms for the run lock: locked: held by ann@elsewhere pid 7 (create) since "); n != 1 {
		t.Errorf("said %d times who holds the lock:\n%s", n, waited.err)
	}
	u.types(t, "diff").want(t, ExitOK, "nothing to do", "") // looking needs no lock
	u.types(t, "unlock").want(t, ExitOK, "took the lock of team from ann@elsewhere pid 7 (create", "")
	u.types(t, "reconcile").want(t, ExitOK, "nothing to do", "")
}

// A run that is stopped or out of time says so, and not what was torn by it.
func stopped(t *testing.T, u *user) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	for _, command := range [][]string{{"create", "--yes"}, {"diff"}, {"status"}, {"destroy", "--yes"}} {
		u.typesWith(ctx, command...).wantOneLine(t, "stopped: interrupted", "run it again")
		u.types(t, append(command, "--timeout", "1ns")...).wantOneLine(t, "deadline of 1ns has passed", "--timeout")
	}
}

// What cannot be reached is one line and one hint for every command that needs it.
func outOfReach(t *testing.T, u *user) {
	text, err := os.ReadFile(u.file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, u.file, strings.ReplaceAll(string(text), "context: test", "context: prod"))
	for _, command := range [][]string{{"create", "--yes"}, {"reconcile"}, {"diff"}, {"destroy", "--yes"}} {
		s := u.types(t, command...)
		if command[0] == "destroy" {
			s.want(t, ExitError, "", `context "prod" does not exist`)
			continue
		}
		s.wantOneLine(t, `context "prod" does not exist`, "spec.cluster.kubeconfig")
	}
	u.types(t, "status").want(t, ExitDegraded, "unknown", "")
	u.s3.Process.Kill()
	write(t, u.file, string(text))
	for _, command := range [][]string{{"create", "--yes"}, {"reconcile"}, {"diff"}, {"status"}, {"unlock"}, {"destroy", "--yes"}} {
		u.types(t, command...).wantOneLine(t, "refuses connections", "spec.store.endpoint")
	}
}
