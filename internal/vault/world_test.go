// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clusterup.dev/clusterup/addons"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/testservers"
)

// world is one Vault with its bucket. It is written down so that a child process
// can work on the same one.
type world struct {
	Dir        string
	Ports      []int
	Starts     []int // how often each replica was started: its UID
	CA         string
	Kubeconfig string
	Reviewer   Reviewer
	Holders    []HolderRef
	Threshold  int
	Runner     string
	Roles      []Role

	ground  *ground
	servers []*testservers.Process
	path    string // in Consul
}

// newWorld starts replicas of an empty Vault.
func (g *ground) newWorld(t *testing.T, replicas int) *world {
	t.Helper()
	w := &world{
		Dir: t.TempDir(), CA: g.ca, Kubeconfig: g.kubeconfig, Reviewer: g.reviewer,
		Holders: []HolderRef{{"alice", 3}}, Threshold: 2, Runner: "alice",
		Roles:  []Role{{Name: "demo", ServiceAccounts: []string{"web"}, Namespaces: []string{"demo"}, Policies: []string{"app"}}},
		ground: g,
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		if _, err := secret.CreateIdentity(filepath.Join(w.Dir, name, "identity.txt")); err != nil {
			t.Fatal(err)
		}
	}
	w.path = "v" + strings.ReplaceAll(strings.ToLower(filepath.Base(filepath.Dir(w.Dir))+filepath.Base(w.Dir)), "/", "-")
	for range replicas {
		w.Ports, w.Starts = append(w.Ports, testservers.Port(t)), append(w.Starts, 0)
		w.servers = append(w.servers, nil)
	}
	for n := range replicas {
		w.start(t, n)
	}
	return w
}

// start runs replica n, again if it ran before.
func (w *world) start(t *testing.T, n int) {
	t.Helper()
	config := filepath.Join(w.Dir, fmt.Sprintf("vault-%d.hcl", n))
	err := os.WriteFile(config, fmt.Appendf(nil, `
disable_mlock = true
api_addr      = "https://127.0.0.1:%[1]d"
cluster_addr  = "https://127.0.0.1:%[2]d"
storage "consul" {
  address = %[3]q
  path    = %[4]q
}
listener "tcp" {
  address         = "127.0.0.1:%[1]d"
  cluster_address = "127.0.0.1:%[2]d"
  tls_cert_file   = "%[5]s/tls.crt"
  tls_key_file    = "%[5]s/tls.key"
}
`, w.Ports[n], testservers.Port(t), w.ground.consul, w.path+"/", w.ground.dir), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	w.Starts[n]++
	w.servers[n] = testservers.Start(t, testservers.Program{
		Name:  fmt.Sprintf("vault-%d", n),
		Path:  testservers.Bin(t, "vault"),
		Args:  []string{"server", "-config=" + config},
		Ready: testservers.Answers(fmt.Sprintf("https://127.0.0.1:%d/v1/sys/health?uninitcode=200&sealedcode=200", w.Ports[n])),
	})
}

func (w *world) bucket() *folder { return &folder{dir: filepath.Join(w.Dir, "bucket")} }

func (w *world) identity(name string) (secret.Identity, error) {
	ids, err := secret.LoadIdentities(filepath.Join(w.Dir, name, "identity.txt"))
	if err != nil {
		return secret.Identity{}, err
	}
	return ids[0], nil
}

// vault makes the steps, over the given bucket and with every dialled connection
// passed through wrap.
func (w *world) vault(bucket custody.Bucket, wrap func(net.Conn) net.Conn) (*Vault, error) {
	runner, err := w.identity(w.Runner)
	if err != nil {
		return nil, err
	}
	holders := make([]custody.Holder, 0, len(w.Holders))
	for _, h := range w.Holders {
		id, err := w.identity(h.Operator)
		if err != nil {
			return nil, err
		}
		holders = append(holders, custody.Holder{Name: h.Operator, Recipient: id.Recipient(), Shares: h.Shares})
	}
	files, err := fs.Sub(addons.FS, "vault")
	if err != nil {
		return nil, err
	}
	escrow := &custody.Escrow{Bucket: bucket, Runner: custody.Holder{Name: w.Runner, Recipient: runner.Recipient()}, Identities: []secret.Identity{runner}}
	return New(Config{
		Pods:      loopback{w, wrap},
		Tokens:    accounts{w.Kubeconfig},
		CA:        func(context.Context) ([]byte, error) { return []byte(w.CA), nil },
		Escrow:    func(context.Context) (*custody.Escrow, error) { return escrow, nil },
		Holders:   holders,
		Settings:  Settings{Replicas: len(w.Ports), Threshold: w.Threshold, Holders: w.Holders, Roles: w.Roles},
		Files:     files,
		Namespace: "vault",
		Reviewer:  w.Reviewer,
		Timeout:   30 * time.Second,
	}), nil
}

// run plans and applies all steps in order, as the runner does, and returns the
// changes that were carried out.
func run(ctx context.Context, v *Vault) (changes []converge.Change, err error) {
	for _, step := range v.Steps() {
		plan, err := step.Plan(ctx)
		if err != nil {
			return changes, fmt.Errorf("%s: plan: %w", step.Name(), err)
		}
		if plan.After != "" {
			return changes, fmt.Errorf("%s: not to be planned before %s", step.Name(), plan.After)
		}
		if plan.Empty() {
			continue
		}
		if err := step.Apply(ctx, plan); err != nil {
			return changes, fmt.Errorf("%s: apply: %w", step.Name(), err)
		}
		changes = append(changes, plan.Changes...)
	}
	return changes, nil
}

// open opens the world's Vault in this process.
func (w *world) open(t *testing.T) *Vault {
	t.Helper()
	v, err := w.vault(w.bucket(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// mustServe fails unless the Vault is initialised, unsealed and configured, its
// root token is revoked, and nothing is left to do.
func (w *world) mustServe(t *testing.T) {
	t.Helper()
	v := w.open(t)
	changes, err := run(t.Context(), v)
	if err != nil || len(changes) > 0 {
		t.Fatalf("something is left to do: %v, %v", changes, err)
	}
	status, err := v.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !status.Healthy() || !status.RootRevoked || !status.Initialised {
		t.Fatalf("status %+v", status)
	}
	for _, entry := range w.bucket().keys(t) {
		if strings.HasSuffix(entry, answerSuffix) || strings.Contains(entry, "probe") {
			t.Errorf("%s is left in the bucket", entry)
		}
	}
}

const answerSuffix = "/answer.json"

// peerOf is a client of replica n.
func (w *world) peerOf(t *testing.T, n int) *client {
	t.Helper()
	c, err := newClient([]byte(w.CA), func(ctx context.Context) (net.Conn, error) { return loopback{w: w}.Dial(ctx, podName(n)) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// initByHand is what somebody else would do.
func (w *world) initByHand(t *testing.T) *custody.Answer {
	t.Helper()
	answer, err := w.peerOf(t, 0).sendInit(t.Context(), 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (w *world) save(t *testing.T) string {
	t.Helper()
	data, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.Dir, "world.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
