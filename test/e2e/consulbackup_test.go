// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/raftsnapshot"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// consulBackup takes a snapshot by the CronJob, opens it with the operator's
// identity, changes a key, and brings it back by restore.
func (w *world) consulBackup(t *testing.T) {
	w.consulKV(t, "put", "e2e/config", "before")
	due := time.Now().Add(-2 * time.Minute).UTC().Format(time.RFC3339)
	w.kubectl("", "-n", "consul", "patch", "cronjob", "consul-snapshot", "--subresource=status", "--type=merge", "-p", `{"status":{"lastScheduleTime":"`+due+`"}}`)
	w.expect(t, w.run(time.Minute, "status", w.name), 3, "the snapshot that was due 2m ago is missing")
	w.kubectl("", "-n", "consul", "create", "job", "--from=cronjob/consul-snapshot", "e2e")
	w.kubectl("", "-n", "consul", "wait", "--for=condition=complete", "--timeout=3m", "job/e2e")
	log := w.kubectl("", "-n", "consul", "logs", "job/e2e")
	if !strings.Contains(log, "sealed, verified") {
		t.Errorf("the job's log is %q", log)
	}
	var listed struct {
		Snapshots []struct {
			Name, Trigger string
			Verified      bool
		}
	}
	if err := json.Unmarshal([]byte(w.must(time.Minute, "consul", "snapshot", w.name, "--list", "-o", "json").out), &listed); err != nil {
		t.Fatal(err)
	}
	if len(listed.Snapshots) != 1 || !listed.Snapshots[0].Verified || listed.Snapshots[0].Trigger != "scheduled" {
		t.Fatalf("listed %+v", listed)
	}
	name := listed.Snapshots[0].Name
	w.snapshotOpens(t, name)

	w.consulKV(t, "put", "e2e/config", "after")
	refused := w.run(time.Minute, "consul", "restore", w.name, name)
	w.expect(t, refused, 1, "--confirm "+w.name)
	w.expect(t, w.run(time.Minute, "consul", "restore", w.name, name, "--confirm", "another"), 1, "nothing was changed")
	if got := w.consulKV(t, "get", "e2e/config"); got != "after" {
		t.Errorf("a refused restore changed the key to %q", got)
	}
	done := w.must(5*time.Minute, "consul", "restore", w.name, name, "--confirm", w.name)
	if !strings.Contains(done.out, "was read back") || !strings.Contains(done.out, "what was there before") {
		t.Errorf("restore says %q", done.out)
	}
	if got := w.consulKV(t, "get", "e2e/config"); got != "before" {
		t.Errorf("after the restore the key is %q", got)
	}
	if status := w.run(time.Minute, "status", w.name); !strings.Contains(status.out, "last snapshot") || strings.Contains(status.out, "is missing") {
		t.Errorf("status does not say how old the last snapshot is, or misses one: %s", status.out)
	}
	w.limitedKey(t)
}

// consulKV runs `consul kv` in a pod of Consul, whose image has nothing else. The token
// is the operators' own and reaches the pod by stdin alone.
func (w *world) consulKV(t *testing.T, args ...string) string {
	t.Helper()
	all := append([]string{"-n", "consul", "exec", "-i", "consul-server-0", "--", "/bin/consul", "kv", args[0], "-token-file=/dev/stdin"}, args[1:]...)
	return strings.TrimSpace(w.kubectl(w.token(t, "consul/bootstrap"), all...))
}

// snapshotOpens opens the object in the bucket as age alone would, and checks what is in it.
func (w *world) snapshotOpens(t *testing.T, name string) {
	t.Helper()
	ids, err := secret.LoadIdentities(w.identity())
	if err != nil {
		t.Fatal(err)
	}
	for key, data := range w.bucket(t) {
		if !strings.HasSuffix(key, name+".snap.age") {
			continue
		}
		plain, err := secret.Open(data, ids)
		if err != nil {
			t.Fatal(err)
		}
		if archive, err := raftsnapshot.Check(strings.NewReader(plain.RevealString())); err != nil || archive.Index == 0 {
			t.Errorf("the snapshot is %+v, %v", archive, err)
		}
		return
	}
	t.Errorf("no object of snapshot %s is in the bucket", name)
}

// limitedKey shows that what the job has of the store reaches backups/ and nothing else,
// by the very way that pods have.
func (w *world) limitedKey(t *testing.T) {
	t.Helper()
	read := func(kind, name, key string) string {
		t.Helper()
		var object struct{ Data map[string]string }
		if err := json.Unmarshal([]byte(w.kubectl("", "-n", "consul", "get", kind, name, "-o", "json")), &object); err != nil {
			t.Fatal(err)
		}
		return object.Data[key]
	}
	var settings struct {
		Store struct{ Endpoint, Region, Bucket, Prefix string }
	}
	if err := json.Unmarshal([]byte(read("configmap", "consul-snapshot", "settings.json")), &settings); err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, []byte(read("configmap", "consul-snapshot", "store-ca.crt")), 0o600); err != nil {
		t.Fatal(err)
	}
	config := store.Config{
		Endpoint: settings.Store.Endpoint, Region: settings.Store.Region, Bucket: settings.Store.Bucket, PathStyle: true, CAFile: ca,
		AccessKey: decoded(t, read("secret", "consul-snapshot-store", "AWS_ACCESS_KEY_ID")),
		SecretKey: secret.NewString(decoded(t, read("secret", "consul-snapshot-store", "AWS_SECRET_ACCESS_KEY"))),
	}
	config.Prefix = settings.Store.Prefix
	bucket, err := store.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := bucket.List(t.Context(), ""); err != nil || len(entries) < 2 {
		t.Errorf("below %s there are %d objects, %v", config.Prefix, len(entries), err)
	}
	for _, prefix := range []string{w.name, w.name + "/tokens", w.name + "/keys", ""} {
		config.Prefix = prefix
		if _, err := store.Open(t.Context(), config); err == nil {
			t.Errorf("the job's key can list %q", prefix)
		}
	}
}

func decoded(t *testing.T, text string) string {
	t.Helper()
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}
