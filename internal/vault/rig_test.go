// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"clusterup.dev/clusterup/addons"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/testservers"
)

// ground is what all tests of a binary share: a Consul, a Kubernetes API server
// and certificates.
type ground struct {
	dir        string
	consul     string // address
	kubeconfig string
	ca         string // PEM
	reviewer   Reviewer
}

func newGround(t *testing.T) *ground {
	t.Helper()
	testservers.Bin(t, "vault")
	g := &ground{dir: t.TempDir()}
	g.startConsul(t)
	g.startKubernetes(t)
	g.issue(t)
	return g
}

func (g *ground) startConsul(t *testing.T) {
	t.Helper()
	port := func() int { return testservers.Port(t) }
	http := port()
	g.consul = fmt.Sprintf("127.0.0.1:%d", http)
	testservers.Start(t, testservers.Program{
		Path: testservers.Bin(t, "consul"),
		Args: []string{
			"agent", "-dev", "-bind=127.0.0.1", "-log-level=warn",
			fmt.Sprintf("-http-port=%d", http), fmt.Sprintf("-server-port=%d", port()),
			fmt.Sprintf("-serf-lan-port=%d", port()), "-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
		},
		Ready: testservers.Answers("http://" + g.consul + "/v1/kv/?keys&separator=/&wait=1s"),
	})
}

// startKubernetes makes the ServiceAccount that clusterup logs in as. In a
// cluster Vault reviews tokens as its own ServiceAccount; here a proxy lends it
// an administrator's rights.
func (g *ground) startKubernetes(t *testing.T) {
	t.Helper()
	g.kubeconfig = testservers.APIServer(t)
	config, err := clientcmd.BuildConfigFromFlags("", g.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	podToken(t, g.kubernetes(t), "vault", ownRole)
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewTLSServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization")
		},
	})
	t.Cleanup(proxy.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: proxy.Certificate().Raw})
	g.reviewer = Reviewer{Host: proxy.URL, CA: string(ca)}
}

func (g *ground) kubernetes(t testing.TB) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", g.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// issue makes the CA and the certificate that the add-on asks for.
func (g *ground) issue(t *testing.T) {
	t.Helper()
	id, err := secret.CreateIdentity(filepath.Join(g.dir, "issuer", "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	keeper := &secret.Keeper{Bucket: tokens{&folder{dir: t.TempDir()}}, Recipients: []secret.Recipient{id.Recipient()}, Identities: []secret.Identity{id}}
	specs := []secret.Spec{
		{Addon: "vault", Name: "ca", Kind: secret.CA, CommonName: "Vault CA"},
		{Addon: "vault", Name: "server", Kind: secret.Cert, CA: "vault/ca", CommonName: ServerName, DNS: []string{ServerName, "localhost"}, IPs: []string{"127.0.0.1"}, Server: true},
	}
	if err := keeper.Make(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
	set, err := keeper.Load(t.Context(), specs)
	if err != nil {
		t.Fatal(err)
	}
	g.ca, _ = set.Public("vault/ca")
	cert, _ := set.Public("vault/server")
	key, _ := set.Secret("vault/server")
	for name, text := range map[string]string{"tls.crt": cert, "tls.key": key.RevealString()} {
		if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

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

// loopback gives processes on this machine as pods.
type loopback struct {
	w    *world
	wrap func(net.Conn) net.Conn
}

func (l loopback) List(context.Context) ([]Pod, error) {
	var pods []Pod
	for n := range l.w.Ports {
		pods = append(pods, Pod{Name: podName(n), UID: fmt.Sprintf("%d-%d", n, l.w.Starts[n]), Running: true})
	}
	return pods, nil
}

func (l loopback) Dial(ctx context.Context, pod string) (net.Conn, error) {
	for n, port := range l.w.Ports {
		if podName(n) == pod {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil && l.wrap != nil {
				conn = l.wrap(conn)
			}
			return conn, err
		}
	}
	return nil, fmt.Errorf("no pod %s", pod)
}

// accounts asks a real API server for tokens.
type accounts struct{ kubeconfig string }

func (a accounts) Token(ctx context.Context, name string, audiences []string, ttl time.Duration) (secret.Value, error) {
	config, err := clientcmd.BuildConfigFromFlags("", a.kubeconfig)
	if err != nil {
		return secret.Value{}, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return secret.Value{}, err
	}
	seconds := int64(ttl.Seconds())
	got, err := client.CoreV1().ServiceAccounts("vault").CreateToken(ctx, name,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		return secret.Value{}, err
	}
	return secret.NewString(got.Status.Token), nil
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
