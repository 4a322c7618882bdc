// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/renewal"
	"clusterup.dev/clusterup/internal/secret"
)

// The pod of ingress-certificate, with the rights that its add-on gives it, replaces what is in
// the one Secret and reaches no other; what it put there is no drift, and no later run takes it
// away, while the rest of the Secret is held in place.
func certificateStays(t *testing.T, w *world) {
	w.addon(t, "demo", `tokens: [{name: cert, kind: cert, ca: clusterup/ca, commonName: x.test, dns: [x.test], server: true}, {name: admin, kind: password, length: 32}]
ignore: [{object: Secret/vault-certificate, fields: [stringData]}]`)
	w.manifest(t, "demo", "certificate", `{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, metadata: {name: vault-certificate, labels: {of: demo}},
stringData: {tls.crt: '{{ public "demo/cert" }}', tls.key: '{{ token "demo/cert" }}'}}`)
	w.mustRun(t)
	first := w.certificate(t)
	if !strings.Contains(first, "BEGIN CERTIFICATE") {
		t.Fatalf("at first there is %q", first)
	}

	cluster, err := kube.Connect(kube.Config{Kubeconfig: w.renewerConfig(t), Editor: renewer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	shelf := func(name string) secretShelf {
		return shelfOf(cluster, secretRef{Namespace: w.namespace(), Name: name})
	}
	if err := converge.Until(t.Context(), "the rights of the renewer", 30*time.Second, func(ctx context.Context) (bool, string, error) {
		_, err := shelf("vault-certificate").Read(ctx)
		return err == nil, "it may not read the Secret", nil
	}); err != nil {
		t.Fatal(err)
	}
	pair, err := shelf("vault-certificate").Read(t.Context())
	if err != nil || pair.Chain != first || !strings.Contains(pair.Key.RevealString(), "PRIVATE KEY") {
		t.Fatalf("%v; it reads %q", err, pair.Chain)
	}
	next := renewal.Pair{Chain: "of Vault", Key: secret.NewString("a key"), Version: pair.Version}
	if err := shelf("vault-certificate").Write(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if err := shelf("vault-certificate").Write(t.Context(), next); !errors.Is(err, converge.ErrStale) {
		t.Errorf("what was not read is overwritten: %v", err)
	}
	if _, err := shelf("admin").Read(t.Context()); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("another Secret: %v", err)
	}

	planned, err := w.look(t)
	if err != nil || lines(planned) != "" {
		t.Errorf("what the pod wrote is taken for drift: %v\n%s", err, lines(planned))
	}
	_, err = w.client.CoreV1().Secrets(w.namespace()).Patch(t.Context(), "vault-certificate", "application/merge-patch+json",
		[]byte(`{"metadata":{"labels":{"of":"others"}}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		t.Fatal(err)
	}
	w.mustRun(t)
	if got := w.certificate(t); got != "of Vault" {
		t.Errorf("a run put %q in its place", got)
	}
	if err := w.client.CoreV1().Secrets(w.namespace()).Delete(t.Context(), "vault-certificate", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := shelf("vault-certificate").Read(t.Context()); !errors.Is(err, renewal.ErrNowhere) {
		t.Errorf("without the Secret: %v", err)
	}
	w.mustRun(t)
	if w.certificate(t) != first {
		t.Error("a Secret that was deleted does not come back as it was at first")
	}
}

func (w *world) certificate(t *testing.T) string {
	t.Helper()
	s, err := w.client.CoreV1().Secrets(w.namespace()).Get(t.Context(), "vault-certificate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return string(s.Data["tls.crt"])
}

// renewerConfig gives the ServiceAccount robot the rules of the add-on's Role, and is
// a kubeconfig for it.
func (w *world) renewerConfig(t *testing.T) string {
	t.Helper()
	golden, err := os.ReadFile("../../addons/ingress-certificate/testdata/default/golden.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.Role
	for doc := range strings.SplitSeq(string(golden), "\n---\n") {
		if strings.Contains(doc, "\nkind: Role\n") {
			if err := yaml.Unmarshal([]byte(doc), &role); err != nil {
				t.Fatal(err)
			}
		}
	}
	role.ObjectMeta = metav1.ObjectMeta{Name: "renewer"}
	if _, err := w.client.RbacV1().Roles(w.namespace()).Create(t.Context(), &role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "renewer"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "renewer"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "robot", Namespace: w.namespace()}},
	}
	if _, err := w.client.RbacV1().RoleBindings(w.namespace()).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	token, err := w.client.CoreV1().ServiceAccounts(w.namespace()).CreateToken(t.Context(), "robot", &authv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(w.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{config.Contexts[config.CurrentContext].AuthInfo: {Token: token.Status.Token}}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}
