// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
)

// loads bounds how long a kubelet and CoreDNS take to read a changed Corefile.
const loads = 150 * time.Second

// podFindsConsul proves that a pod finds every server by Consul's own name, and
// that status says so.
func (w *world) podFindsConsul(t *testing.T, c *kube.Cluster) {
	want := []string{}
	pods, err := c.Pods(t.Context(), "consul", "app.kubernetes.io/name=consul,app.kubernetes.io/component=server")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		want = append(want, p.IP)
	}
	slices.Sort(want)
	w.kubectl("", "run", "names", "--image=docker.io/hashicorp/consul:1.22.5", "--restart=Never", "--command", "--", "tail", "-f", "/dev/null")
	w.kubectl("", "wait", "--for=condition=ready", "pod/names", "--timeout=60s")
	address := regexp.MustCompile(`(?m)^Address(?: \d+)?: +(\d+\.\d+\.\d+\.\d+)$`)
	start := time.Now()
	err = converge.Until(t.Context(), "consul.service.consul", loads, func(context.Context) (bool, string, error) {
		said := w.tryKubectl("exec", "names", "--", "nslookup", "-type=a", "consul.service.consul")
		got := []string{}
		for _, found := range address.FindAllStringSubmatch(said, -1) {
			got = append(got, found[1])
		}
		slices.Sort(got)
		return len(want) == 3 && slices.Equal(got, want), said, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a pod finds %v, %s after it was first asked", want, time.Since(start).Round(100*time.Millisecond))
	if said := w.tryKubectl("exec", "names", "--", "nslookup", "-type=a", "kubernetes.default.svc.cluster.local"); !strings.Contains(said, "Name:") {
		t.Errorf("a name of Kubernetes is not found any more: %s", said)
	}
	w.kubectl("", "delete", "pod", "names", "--wait=false")
	until(t, "both replicas of CoreDNS to have read it", loads, func() bool { // each does in its own time
		return strings.Contains(w.must(time.Minute, "status", w.name).out, "2 of 2 CoreDNS answering for consul.service.consul")
	})
}

// corefileDrift proves that an edit of the block is named and put right, and that
// what is around it stays.
func (w *world) corefileDrift(t *testing.T) {
	read := func() string {
		return w.kubectl("", "-n", "kube-system", "get", "configmap", "coredns", "-o", "jsonpath={.data.Corefile}")
	}
	write := func(text string) {
		patch, err := json.Marshal(map[string]any{"data": map[string]any{"Corefile": text}})
		if err != nil {
			t.Fatal(err)
		}
		w.kubectl("", "-n", "kube-system", "patch", "configmap", "coredns", "--type=merge", "-p", string(patch))
	}
	right := read()
	theirs := strings.Replace(right, "ttl 30", "ttl 29", 1)
	for name, wrong := range map[string]string{
		"edited": strings.Replace(theirs, "cache 5", "cache 3000", 1),
		"gone":   theirs[strings.Index(theirs, "# clusterup: end\n")+len("# clusterup: end\n"):],
	} {
		write(wrong)
		w.expect(t, w.run(time.Minute, "diff", w.name), 2, "consul/dns", "ConfigMap kube-system/coredns", "data.Corefile, block consul")
		w.must(time.Minute, "reconcile", w.name)
		if got := read(); got != theirs {
			t.Errorf("%s: it became\n%s", name, got)
		}
	}
	write(right)
	w.must(time.Minute, "diff", w.name)
}

// configuredApp proves the way of docs/applications.md: the sample takes its
// configuration from Consul and its password from Vault, both as its ServiceAccount
// and at run time; it sees a changed key; and the password is nowhere else. The
// environment gives the roles demo and configured the policy app.
func (w *world) configuredApp(t *testing.T, c *kube.Cluster) {
	password := rand.Text()
	w.putKey(t, c, "app/configured/colour", "green")
	w.putSecret(t, c, "app/configured", map[string]string{"password": password})
	if err := os.CopyFS(filepath.Join(w.dir, "addons/configured"), os.DirFS("testdata/addons/configured")); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(w.dir, "environments", w.name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	w.rewrite(t, string(file)+"    - {name: configured}\n")
	w.must(5*time.Minute, "create", w.name, "--yes")
	pods, err := c.Pods(t.Context(), "configured", "app.kubernetes.io/name=configured")
	if err != nil || len(pods) != 1 {
		t.Fatalf("%v, %v", pods, err)
	}
	pod := pods[0].Name
	ask := func(path, password string) (string, int) {
		return w.ask(t, c, "configured", pod, 8080, request{path: path, password: password})
	}
	if said, code := ask("/?env=COLOUR", ""); code != http.StatusOK || !strings.Contains(said, `"COLOUR":"green"`) {
		t.Errorf("its configuration: %d %s", code, said)
	}
	if said, code := ask("/private", password); code != http.StatusOK {
		t.Errorf("with the password: %d %s", code, said)
	}
	if said, code := ask("/private", "wrong"); code != http.StatusUnauthorized {
		t.Errorf("with another password: %d %s", code, said)
	}

	start := time.Now()
	w.putKey(t, c, "app/configured/colour", "blue")
	err = converge.Until(t.Context(), "the application to see the key", 20*time.Second, func(context.Context) (bool, string, error) {
		said, code := ask("/?env=COLOUR", "")
		return code == http.StatusOK && strings.Contains(said, `"COLOUR":"blue"`), said, nil
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("the application saw a changed key after %s", time.Since(start).Round(100*time.Millisecond))

	// In its own process and nowhere else.
	beside := w.kubectl("", "-n", "configured", "exec", pod, "-c", "consul-login", "--", "sh", "-c", "env; cat /proc/*/environ /proc/*/cmdline /run/consul/* /config/*; true")
	if !strings.Contains(beside, "CONSUL_HTTP_ADDR") || holds([]byte(beside), forms(password)) {
		t.Error("the password is in the container beside the application's, or that one was not read")
	}
	for kind := range strings.FieldsSeq(w.kubectl("", "api-resources", "--verbs=list", "-o", "name")) {
		if holds([]byte(w.kubectl("", "get", kind, "-A", "-o", "yaml")), forms(password)) {
			t.Errorf("the password is in an object of kind %s", kind)
		}
	}
	if log := w.kubectl("", "-n", "configured", "logs", pod, "--all-containers"); holds([]byte(log), forms(password)) {
		t.Error("the password is in the pod's log")
	}

	// The same image under another ServiceAccount is refused by Consul.
	w.kubectl("", "-n", "configured", "create", "serviceaccount", "stranger")
	token := strings.TrimSpace(w.kubectl("", "-n", "configured", "create", "token", "stranger"))
	said, code := w.ask(t, c, "consul", "consul-server-0", 8501, request{
		method: http.MethodPost, path: "/v1/acl/login", tls: true, body: map[string]string{"AuthMethod": "kubernetes", "BearerToken": token},
	})
	if code != http.StatusForbidden {
		t.Errorf("another ServiceAccount logs in to Consul: %d", code)
	} else {
		t.Logf("another ServiceAccount: %s", said)
	}
}
