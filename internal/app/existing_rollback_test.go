// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"clusterup.dev/clusterup/internal/hint"
)

// goBack is `clusterup release rollback`; it gives what is said at the end.
func (w *world) goBack(t *testing.T, name string, change ...func(*Options)) (string, error) {
	t.Helper()
	s := w.hold(t, change...)
	if err := s.GoBack(s.Context(), name); err != nil {
		s.Close()
		return "", err
	}
	err := w.run(t, s)
	return s.AsksFor(t.Context()), err
}

func (w *world) mustGoBack(t *testing.T, name string, change ...func(*Options)) string {
	t.Helper()
	said, err := w.goBack(t, name, change...)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// secretValue reads one value of a Secret of the cluster.
func (w *world) secretValue(t *testing.T, name, key string) string {
	t.Helper()
	s, err := w.client.CoreV1().Secrets(w.namespace()).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return string(s.Data[key])
}

// Going back makes the earlier release current under its own digest, brings back what
// it had and prunes what came since, an add-on too; doing it again does nothing; and the
// next create goes forward again.
func rollback(t *testing.T, w *world) {
	w.manifest(t, "demo", "extra", configMap("extra"))
	w.mustRun(t)
	first := w.current(t)
	w.level = "debug"
	w.removeManifest(t, "demo", "extra")
	w.manifest(t, "demo", "more", configMap("more"))
	w.addon(t, "other", "")
	w.manifest(t, "other", "others", configMap("others"))
	w.addons = []string{"demo", "other"}
	w.writeEnvironment(t)
	w.mustRun(t)
	second := w.current(t)

	said := w.mustGoBack(t, "previous")
	if w.current(t) != first || w.settings(t) != "info" || !w.has(t, "extra") || w.has(t, "more") || w.has(t, "others") {
		t.Errorf("current is %s, level %s, extra %t, more %t, others %t", Short(w.current(t)), w.settings(t), w.has(t, "extra"), w.has(t, "more"), w.has(t, "others"))
	}
	if !strings.Contains(said, Short(second)) {
		t.Errorf("at the end it says %q", said)
	}
	s := w.hold(t)
	if err := s.GoBack(t.Context(), first[:8]); err != nil {
		t.Fatal(err)
	}
	if planned, err := w.plan(t.Context(), s, ""); err != nil || lines(planned) != "" {
		t.Errorf("going back again would do something: %v\n%s", err, lines(planned))
	}
	s.Close()
	runs := w.history(t)
	if outcomes(runs) != "done done done" || runs[0].Release != first || runs[1].Release != second {
		t.Errorf("%+v", runs)
	}
	w.mustRun(t)
	if w.current(t) != second || w.settings(t) != "debug" || w.has(t, "extra") || !w.has(t, "others") {
		t.Error("the next create did not go to what the file asks for")
	}

	for name, says := range map[string]string{"beef": `no release "beef"`, "": `no release ""`, first[:10] + "x": "no release"} {
		if _, err := w.goBack(t, name); err == nil || !strings.Contains(err.Error(), says) || hint.Of(err) == "" {
			t.Errorf("%q: %v, hint %q", name, err, hint.Of(err))
		}
	}
}

// An add-on that was removed since comes back with its rules and its own token.
func removedAddonReturns(t *testing.T, w *world) {
	w.addon(t, "other", "needs: [demo]\ntokens: [{name: key, kind: password, length: 20}]")
	w.manifest(t, "other", "sealed", `{apiVersion: v1, kind: Secret, metadata: {name: sealed}, stringData: {key: '{{ token "other/key" }}'}}`)
	w.addons = []string{"demo", "other"}
	w.writeEnvironment(t)
	w.mustRun(t)
	first, key := w.current(t), w.secretValue(t, "sealed", "key")
	w.addons = []string{"demo"}
	w.writeEnvironment(t)
	w.mustRun(t, allowPrune)

	w.mustGoBack(t, first)
	if w.current(t) != first || w.secretValue(t, "sealed", "key") != key || len(key) != 20 {
		t.Error("the add-on did not come back as it was")
	}
	w.refused(t, "Secret demo-returned/sealed")
}

// A token that was made anew since stays: the earlier release is applied with it, under
// a digest of its own, and everything else in it is as it was. The certificate of a key
// goes with the key.
func tokenMadeAnew(t *testing.T, w *world) {
	w.addon(t, "demo", "tokens: [{name: admin, kind: password, length: 32}, {name: ca, kind: ca, commonName: Demo}]")
	w.manifest(t, "demo", "pair", `{apiVersion: v1, kind: Secret, metadata: {name: pair}, stringData: {crt: '{{ public "demo/ca" | b64enc }}', tls.crt: {{ public "demo/ca" | quote }}, tls.key: {{ token "demo/ca" | quote }}}}`)
	w.manifest(t, "demo", "trust", `{apiVersion: v1, kind: ConfigMap, metadata: {name: trust}, data: {ca.crt: {{ public "demo/ca" | quote }}, level: "{{ .Values.level }}"}}`)
	w.mustRun(t)
	first, old, oldKey := w.current(t), w.password(t), w.secretValue(t, "pair", "tls.key")
	for _, name := range []string{"admin", "ca"} {
		if err := w.bucket.Delete(t.Context(), "tokens/demo/"+name+"/000001.age"); err != nil {
			t.Fatal(err)
		}
	}
	w.level = "debug"
	w.writeEnvironment(t)
	w.mustRun(t)
	anew, key, crt := w.password(t), w.secretValue(t, "pair", "tls.key"), w.secretValue(t, "pair", "tls.crt")
	if anew == old || key == oldKey {
		t.Fatal("the tokens were not made anew")
	}

	w.mustGoBack(t, first)
	if w.current(t) == first || w.settings(t) != "info" || w.password(t) != anew {
		t.Errorf("current %s (first %s), level %s, the token of today: %t", Short(w.current(t)), Short(first), w.settings(t), w.password(t) == anew)
	}
	if w.secretValue(t, "pair", "tls.key") != key || w.secretValue(t, "pair", "tls.crt") != crt {
		t.Error("key and certificate do not fit")
	}
	trust, err := w.client.CoreV1().ConfigMaps(w.namespace()).Get(t.Context(), "trust", metav1.GetOptions{})
	if err != nil || trust.Data["ca.crt"] != crt || trust.Data["level"] != "info" {
		t.Errorf("%v, %v", trust.Data["level"], err)
	}
	for _, form := range []string{old, anew} {
		w.searchFor(t, []byte(form), w.s3.Data+"/"+w.s3.Bucket+"/"+w.name)
	}
	w.mustRun(t)
}

// What stands around a token in one value is as it was, and the digest too: only the
// token is of today. That holds while the folder of today does not even render.
func aroundATokenAsItWas(t *testing.T, w *world) {
	w.manifest(t, "demo", "url", `{apiVersion: v1, kind: Secret, metadata: {name: url}, stringData: {url: 'http://me:{{ token "demo/admin" }}@{{ .Values.level }}'}}`)
	w.mustRun(t)
	first, password := w.current(t), w.password(t)
	w.level = "debug"
	w.writeEnvironment(t)
	w.mustRun(t)
	w.mustGoBack(t, first)
	if got := w.secretValue(t, "url", "url"); w.current(t) != first || got != "http://me:"+password+"@info" {
		t.Error("the value is not as it was")
	}
	w.mustRun(t)
	w.manifest(t, "demo", "broken", `{{ .Values.absent }}`)
	if said := w.mustGoBack(t, first); w.current(t) != first || !strings.Contains(said, "does not render") {
		t.Errorf("with a broken folder: %q", said)
	}
}

// A run that died before it was promoted is taken back by going to the current release:
// what it brought is pruned, what it changed is as it was.
func abandonAttempt(t *testing.T, w *world) {
	w.mustRun(t)
	first := w.current(t)
	w.level = "debug"
	w.writeEnvironment(t)
	w.manifest(t, "demo", "extra", configMap("extra"))
	w.killAfterApply(t)
	if !w.has(t, "extra") || w.current(t) != first {
		t.Fatal("the run did not die where it should")
	}
	w.mustGoBack(t, "current")
	if w.has(t, "extra") || w.settings(t) != "info" || w.current(t) != first {
		t.Error("what the dead run brought is still there")
	}
	inventory, err := w.hold(t).inventoryNow(t.Context())
	if err != nil || !inventory.Settled(first) {
		t.Errorf("the attempt is still remembered: %v", err)
	}
}

// A release of which a byte was changed, which was cut short, or of which an object is
// missing is refused by name, and nothing is applied.
func damagedRollback(t *testing.T, w *world) {
	w.mustRun(t)
	first := w.current(t)
	before := w.keys(t)
	w.level = "debug"
	w.writeEnvironment(t)
	w.manifest(t, "demo", "admin", `{apiVersion: v1, kind: Secret, metadata: {name: admin}, stringData: {password: '{{ token "demo/admin" }}', more: x}}`)
	w.mustRun(t)
	second, metas := w.current(t), w.metas(t)
	for _, key := range before {
		if !strings.HasPrefix(key, "objects/") && !strings.HasPrefix(key, "releases/") {
			continue
		}
		data, _, err := w.bucket.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Clone(data)
		changed[len(changed)/2] ^= 1
		for how, damage := range map[string][]byte{"changed": changed, "cut": data[:len(data)-1], "empty": {}, "missing": nil} {
			if damage == nil {
				err = w.bucket.Delete(t.Context(), key)
			} else {
				err = w.bucket.Put(t.Context(), key, damage)
			}
			if err != nil {
				t.Fatal(err)
			}
			name := first
			_, err := w.goBack(t, name)
			unknown := how == "missing" && strings.HasPrefix(key, "releases/")
			if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), key) && !unknown || hint.Of(err) == "" {
				t.Errorf("%s %s: %v, hint %q", key, how, err, hint.Of(err))
			}
		}
		if err := w.bucket.Put(t.Context(), key, data); err != nil {
			t.Fatal(err)
		}
	}
	for kind, meta := range w.metas(t) {
		if meta.ResourceVersion != metas[kind].ResourceVersion {
			t.Errorf("the %s was written", kind)
		}
	}
	if w.current(t) != second {
		t.Error("the pointer moved")
	}
	w.mustGoBack(t, first)
}
