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
	Cluster    []int // where replicas talk to each other: on raft they find each other there again
	Starts     []int // how often each replica was started: its UID
	CA         string
	Kubeconfig string
	Reviewer   Reviewer
	Holders    []HolderRef
	Threshold  int
	Runner     string
	Roles      []Role
	Audit      []Device
	Engines    []Engine
	Auth       []Method
	Asks       []Ask
	Transit    *transit // what opens it; nil: key shares
	Raft       bool     // each replica keeps the data itself
	Rekey      bool     // a child process rekeys instead of converging
	PGP        bool     // the holders have PGP keys: see pgpworld_test.go

	owner   *testing.T // its servers run until this test ends
	ground  *ground
	servers []*testservers.Process
	path    string // in Consul

	outdated map[string]bool // by UID
	stopped  map[string]bool // the same: pods that do not run
	replace  func(n int)     // what deleting a pod does
}

// newWorld starts replicas of an empty Vault.
func (g *ground) newWorld(t *testing.T, replicas int) *world {
	t.Helper()
	return g.newWorldOn(t, replicas, func(*world) {})
}

// newWorldOn is newWorld with another storage or seal, which set says.
func (g *ground) newWorldOn(t *testing.T, replicas int, set func(*world)) *world {
	t.Helper()
	w := &world{
		Dir: t.TempDir(), CA: g.ca, Kubeconfig: g.kubeconfig, Reviewer: g.reviewer,
		Holders: []HolderRef{{"alice", 3}}, Threshold: 2, Runner: "alice",
		Roles: []Role{{Name: "demo", ServiceAccounts: []string{"web"}, Namespaces: []string{"demo"}, Policies: []string{"app"}}},
		owner: t, ground: g,
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		if _, err := secret.CreateIdentity(filepath.Join(w.Dir, name, "identity.txt")); err != nil {
			t.Fatal(err)
		}
	}
	w.path = "v" + strings.ReplaceAll(strings.ToLower(filepath.Base(filepath.Dir(w.Dir))+filepath.Base(w.Dir)), "/", "-")
	for range replicas {
		w.Ports, w.Cluster, w.Starts = append(w.Ports, testservers.Port(t)), append(w.Cluster, testservers.Port(t)), append(w.Starts, 0)
		w.servers = append(w.servers, nil)
	}
	set(w)
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
%[3]s
%[5]s
listener "tcp" {
  address         = "127.0.0.1:%[1]d"
  cluster_address = "127.0.0.1:%[2]d"
  tls_cert_file   = "%[4]s/tls.crt"
  tls_key_file    = "%[4]s/tls.key"
}
`, w.Ports[n], w.Cluster[n], w.storage(t, n), w.ground.dir, w.Transit.stanza()), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	w.Starts[n]++
	w.servers[n] = testservers.Start(t, testservers.Program{
		Name:  fmt.Sprintf("vault-%d", n),
		Path:  testservers.Bin(t, "vault"),
		Args:  []string{"server", "-config=" + config},
		Env:   w.Transit.env(),
		Ready: testservers.Answers(fmt.Sprintf("https://127.0.0.1:%d/v1/sys/health?standbyok=true&uninitcode=200&sealedcode=200", w.Ports[n])),
	})
}

// storage is the stanza of replica n.
func (w *world) storage(t *testing.T, n int) string {
	t.Helper()
	if !w.Raft {
		return fmt.Sprintf("storage \"consul\" {\n  address = %q\n  path = %q\n}", w.ground.consul, w.path+"/")
	}
	if err := os.MkdirAll(w.data(n), 0o700); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("storage \"raft\" {\n  path = %q\n  node_id = %q\n", w.data(n), podName(n))
	for _, port := range w.Ports {
		text += fmt.Sprintf("  retry_join {\n    leader_api_addr = \"https://127.0.0.1:%d\"\n    leader_ca_cert_file = \"%s/ca.crt\"\n    leader_tls_servername = %q\n  }\n",
			port, w.ground.dir, ServerName)
	}
	return text + "}"
}

// data is where replica n keeps its own, on raft.
func (w *world) data(n int) string { return filepath.Join(w.Dir, fmt.Sprintf("raft-%d", n)) }

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
		if w.PGP {
			key, err := w.pgpKey(h.Operator)
			if err != nil {
				return nil, err
			}
			holders = append(holders, custody.Holder{Name: h.Operator, PGP: key, Shares: h.Shares})
			continue
		}
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
		Settings:  Settings{Replicas: len(w.Ports), Storage: w.keeping(), Seal: w.Transit.seal(), Threshold: w.Threshold, Holders: w.Holders, Roles: w.Roles, Audit: w.Audit, Engines: w.Engines, Auth: w.Auth},
		Asks:      w.Asks,
		Authority: w.ground,
		Files:     files,
		Namespace: "vault",
		Reviewer:  w.Reviewer,
		Timeout:   w.patience(),
	}), nil
}

// patience is how long a wait may take. On raft, where a leader is lost, the others elect
// another one after 15 s at the earliest, and after as long again where two stand at once.
func (w *world) patience() time.Duration {
	if w.Raft {
		return 2 * time.Minute
	}
	return 30 * time.Second
}

func (w *world) keeping() Keeping {
	if w.Raft {
		return Keeping{Type: raft}
	}
	return Keeping{}
}

// run plans and applies all steps in order, as the runner does, and returns the
// changes that were carried out.
func run(ctx context.Context, v *Vault) (changes []converge.Change, err error) {
	steps := v.Steps()
	if v.SealsToPGP() {
		steps = append(steps, v.DealStep())
	}
	for _, step := range steps {
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
	if w.Rekey || w.PGP { // then see mustBeTidy
		return // what a killed rekey leaves is sealed, opens nothing, and is not swept up
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
