// SPDX-License-Identifier: Apache-2.0

package addons_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/addons"
	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/testservers"
)

const renewedDomain = "renewed.internal"

// A Traefik with the arguments, the objects and the rights of the add-on serves for the
// domain what is in the Secret vault-certificate, and what it is replaced with, without
// being started anew; with and without the Gateway API.
func TestTraefikServesWhatIsRenewed(t *testing.T) {
	testservers.Bin(t, "traefik")
	for _, gateway := range []bool{true, false} {
		t.Run(fmt.Sprintf("gatewayAPI %v", gateway), func(t *testing.T) {
			kubeconfig := testservers.APIServer(t)
			https := testservers.Port(t)
			web := testservers.Port(t)
			first, second := issue(t, 1), issue(t, 2)
			args := applyIngress(t, kubeconfig, gateway, first, web, https)
			startTraefik(t, kubeconfig, args, first, web, https)

			served := func(what, name string, serial int64) {
				t.Helper()
				start := time.Now()
				err := converge.Until(t.Context(), what, 30*time.Second, func(context.Context) (bool, string, error) {
					got, err := shown(t.Context(), https, name)
					return err == nil && got == serial, fmt.Sprintf("it is number %d", got), err
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s after %v", what, time.Since(start).Round(10*time.Millisecond))
			}
			served("the first certificate", "web."+renewedDomain, 1)
			client := clients(t, kubeconfig)
			_, err := client.CoreV1().Secrets("ingress").Patch(t.Context(), "vault-certificate", "application/merge-patch+json",
				fmt.Appendf(nil, `{"stringData":{"tls.crt":%q,"tls.key":%q}}`, second.crt, second.key), metav1.PatchOptions{})
			if err != nil {
				t.Fatal(err)
			}
			served("the second certificate", "web."+renewedDomain, 2)
			served("the domain itself", renewedDomain, 2)
			served("without a name, the default certificate", "", 1)
		})
	}
}

// applyIngress applies what the add-on gives with `certificate: vault` and gives the
// arguments of its controllers.
func applyIngress(t *testing.T, kubeconfig string, gateway bool, c keyPair, web, https int) (args []string) {
	t.Helper()
	catalog, err := addon.Find(addon.Source{Name: "built-in", Dir: "addons", FS: addons.FS})
	if err != nil {
		t.Fatal(err)
	}
	a, err := catalog.Get("ingress")
	if err != nil {
		t.Fatal(err)
	}
	values := maps.Clone(a.Values)
	values["certificate"], values["gatewayAPI"], values["domain"] = "vault", gateway, renewedDomain
	specs, err := a.Specs("renewed", values)
	if err != nil {
		t.Fatal(err)
	}
	tokens := secret.Placeholders(append(specs, addon.Authority("renewed")))
	objects, err := addon.Render(addon.Input{Addon: a, Values: values, Environment: "renewed", Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*unstructured.Unstructured, 0, len(objects))
	for _, o := range objects {
		u := o.Unstructured
		switch o.GetKind() {
		case "Secret":
			u.Object["stringData"] = map[string]any{"tls.crt": c.crt, "tls.key": c.key}
		case "Gateway": // ports of this machine, as the controller's below
			listeners, _, _ := unstructured.NestedSlice(u.Object, "spec", "listeners")
			for i, port := range []int{web, https} {
				listeners[i].(map[string]any)["port"] = int64(port)
			}
			_ = unstructured.SetNestedSlice(u.Object, listeners, "spec", "listeners")
		case "Deployment":
			containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
			args, _, _ = unstructured.NestedStringSlice(containers[0].(map[string]any), "args")
		}
		all = append(all, u)
	}
	cluster, err := kube.Connect(kube.Config{Kubeconfig: kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	plan, err := cluster.Plan(t.Context(), all, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	return args
}
