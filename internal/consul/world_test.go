// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/testservers"
)

const servers = 3

// world is three real servers on loopback with the configuration that the
// add-on renders. It is the Dialer and the source of tokens of a Cluster.
type world struct {
	dir     string
	program string
	network string // "127.53.7": the servers are .1, .2 and .3
	tokens  *secret.Set
	asks    []consul.Ask
	jwt     atomic.Value      // string: the reviewer's token in Kubernetes; none: it is not filled yet
	files   map[string]string // of the ConfigMap and the Secret

	mu      sync.Mutex
	running map[int]*testservers.Process
	clients map[string]*api.Client
	moved   map[int]int // how often a server came back at another address

	dials  atomic.Int32
	writes atomic.Int32
	cut    atomic.Pointer[cut]
}

// cut ends a context at a write.
type cut struct {
	at     int32
	cancel context.CancelFunc
}

// newWorld starts all servers; it does not wait for a leader.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := prepare(t)
	for i := range servers {
		w.start(t, i)
	}
	return w
}

func prepare(t *testing.T) *world {
	t.Helper()
	return prepareWith(t, ownTokens(t))
}

func prepareWith(t *testing.T, tokens *secret.Set) *world {
	t.Helper()
	w := &world{
		tokens:  tokens,
		program: testservers.Bin(t, "consul"),
		dir:     t.TempDir(),
		network: fmt.Sprintf("127.%d.%d", 50+rand.IntN(200), rand.IntN(250)),
		running: make(map[int]*testservers.Process),
		moved:   make(map[int]int),
		clients: make(map[string]*api.Client),
	}
	a, values := ownAddon(t)
	var err error
	w.asks, err = asksOf(a, values)
	must(t, err)
	w.jwt.Store(fakeJWT("one"))
	w.render(t)
	return w
}

// render gives the servers what the add-on renders to with the tokens of now; it
// counts when they are started.
func (w *world) render(t *testing.T) {
	t.Helper()
	a, values := ownAddon(t)
	objects, err := addon.Render(addon.Input{Addon: a, Values: values, Environment: "test", Tokens: w.tokens})
	must(t, err)
	w.files = make(map[string]string)
	for _, o := range objects {
		data, _ := o.Object["data"].(map[string]any)
		for name, text := range data {
			text := text.(string)
			if o.GetKind() == "Secret" {
				plain, err := base64.StdEncoding.DecodeString(text)
				must(t, err)
				text = string(plain)
			}
			w.files[name] = text
		}
	}
}

// start runs server i; its data stay when it is started again.
func (w *world) start(t *testing.T, i int) {
	t.Helper()
	dir := filepath.Join(w.dir, w.pod(i))
	must(t, os.MkdirAll(dir, 0o700))
	here := strings.NewReplacer("/consul/config/", dir+"/", "/consul/secrets/", dir+"/", "/consul/data", dir+"/data")
	args := []string{"agent", "-bind=" + w.address(i), "-client=" + w.address(i), "-advertise=" + w.address(i), "-node=" + w.pod(i)}
	for _, name := range slices.Sorted(maps.Keys(w.files)) {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(here.Replace(w.files[name])), 0o600))
		if strings.HasSuffix(name, ".hcl") {
			args = append(args, "-config-file="+filepath.Join(dir, name))
		}
	}
	for other := range servers {
		args = append(args, "-retry-join="+w.address(other))
	}
	p := testservers.Start(t, testservers.Program{Name: w.pod(i), Path: w.program, Args: args, Dir: dir})
	t.Cleanup(p.Kill) // a leave takes longer than a test should
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[i] = p
}

func (w *world) kill(i int) {
	w.process(i).Kill()
}

func (w *world) pod(i int) string { return fmt.Sprintf("consul-server-%d", i) }

// address is where a server is, until it moves as a new pod does.
func (w *world) address(i int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("%s.%d", w.network, 1+i+10*w.moved[i])
}

func (w *world) move(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved[i]++
}

func (w *world) process(i int) *testservers.Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running[i]
}

// stop tells a server to end, as Kubernetes does, and returns when it has.
func (w *world) stop(ctx context.Context, i int) error {
	p := w.process(i)
	if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil {
		return err
	}
	return converge.Until(ctx, w.pod(i)+" to leave", time.Minute, func(context.Context) (bool, string, error) {
		return p.Gone(), "it has not ended", nil
	})
}

// Dial connects to the server that stands for a pod.
func (w *world) Dial(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
	w.dials.Add(1)
	for i := range servers {
		if namespace == "consul" && pod == w.pod(i) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(w.address(i), fmt.Sprint(port)))
			return counted{conn, w}, err
		}
	}
	return nil, fmt.Errorf("pod %s/%s is not there", namespace, pod)
}

// counted counts writes, which is how a test cuts a run between two calls.
type counted struct {
	net.Conn
	w *world
}

func (c counted) Write(p []byte) (int, error) {
	n := c.w.writes.Add(1)
	if cut := c.w.cut.Load(); cut != nil && n >= cut.at {
		cut.cancel()
	}
	return c.Conn.Write(p)
}

// cluster is a new Cluster over the world, as a new run of the program has it.
func (w *world) cluster(t *testing.T, change ...func(*consul.Config)) *consul.Cluster {
	t.Helper()
	cfg := consul.Config{
		Dialer:  w,
		Tokens:  func(context.Context) (consul.Tokens, error) { return w.tokens, nil },
		Asks:    w.asks,
		Timeout: time.Minute,
		Reviewer: func(context.Context) (consul.Reviewer, error) {
			jwt, _ := w.jwt.Load().(string)
			if jwt == "" {
				return consul.Reviewer{}, fmt.Errorf("the token of the reviewer: %w", converge.ErrNotYet)
			}
			ca, _ := w.tokens.Public("consul/ca")
			return consul.Reviewer{Host: "https://kubernetes.default.svc", CACert: ca, JWT: secret.NewString(jwt)}, nil
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := consul.New(cfg)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// client is Consul's own client to the first server.
func (w *world) client(t *testing.T, token string) *api.Client {
	t.Helper()
	return w.clientOf(t, 0, token)
}

// clientOf is one to server i where it is now; servers bound the connections of a
// host, so each is kept.
func (w *world) clientOf(t *testing.T, i int, token string) *api.Client {
	t.Helper()
	key := token + "@" + w.address(i)
	w.mu.Lock()
	client, ok := w.clients[key]
	w.mu.Unlock()
	if ok {
		return client
	}
	ca, _ := w.tokens.Public("consul/ca")
	client, err := api.NewClient(&api.Config{
		Scheme: "https", Address: net.JoinHostPort(w.address(i), "8501"), Token: token,
		TLSConfig: api.TLSConfig{Address: "server.dc1.consul", CAPem: []byte(ca)},
	})
	must(t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients[key] = client
	return client
}

func step(t *testing.T, c *consul.Cluster, name string) converge.Step {
	t.Helper()
	for _, item := range c.Steps() {
		if item.Step.Name() == name {
			return item.Step
		}
	}
	for _, last := range c.Lastly() {
		if last.Name() == name {
			return last
		}
	}
	t.Fatalf("there is no step %s", name)
	return nil
}

// carryOut plans and applies steps in their order and returns the plans.
func carryOut(t *testing.T, c *consul.Cluster) map[string]converge.Plan {
	t.Helper()
	plans := make(map[string]converge.Plan)
	for _, item := range c.Steps() {
		plan, err := item.Step.Plan(t.Context())
		must(t, err)
		must(t, item.Step.Apply(t.Context(), plan))
		plans[item.Step.Name()] = plan
	}
	return plans
}

// fakeJWT has the form of a token of a ServiceAccount.
func fakeJWT(subject string) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"RS256"}`) + "." + part(fmt.Sprintf(`{"sub":%q}`, subject)) + "." + part("signed")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ownAddon is the consul add-on with its defaults.
func ownAddon(t *testing.T) (*addon.Addon, map[string]any) {
	t.Helper()
	a, err := addon.Load(os.DirFS("../../addons/consul"), "addons/consul")
	must(t, err)
	values, err := a.Merge(nil)
	must(t, err)
	return a, values
}

// asksOf is what the add-on and an application ask of Consul.
func asksOf(a *addon.Addon, values map[string]any) ([]consul.Ask, error) {
	asked, err := a.Asks("test", values)
	if err != nil {
		return nil, err
	}
	own, err := consul.ParseAsk(asked["consul"], consul.Source{
		Addon: "consul", Dir: "addons/consul", Namespace: "consul", Read: func(name string) ([]byte, error) { return fs.ReadFile(a.Files(), name) },
	})
	return []consul.Ask{own, {
		Addon:    "app",
		Policies: []consul.Policy{{Name: "app", Rules: `key_prefix "app/" { policy = "write" }` + "\n" + `agent_prefix "" { policy = "read" }`}},
		Tokens:   []consul.Token{{Token: "consul", Policies: []string{"app"}, Description: "an application"}},
	}}, err
}

// specsOf are the tokens of the add-on, and one of another.
func specsOf(a *addon.Addon, values map[string]any) ([]secret.Spec, error) {
	specs, err := a.Specs("test", values)
	return append(specs, secret.Spec{Addon: "app", Name: "consul", Kind: secret.ACLToken}), err
}

func ownTokens(t *testing.T) *secret.Set {
	t.Helper()
	a, values := ownAddon(t)
	return makeTokens(t, a, values)
}

// makeTokens makes the tokens of the add-on, and one of another.
func makeTokens(t *testing.T, a *addon.Addon, values map[string]any) *secret.Set {
	t.Helper()
	specs, err := specsOf(a, values)
	must(t, err)
	identity, err := secret.CreateIdentity(filepath.Join(t.TempDir(), "keys", "identity.txt"))
	must(t, err)
	keeper := &secret.Keeper{Bucket: memory{}, Recipients: []secret.Recipient{identity.Recipient()}, Identities: []secret.Identity{identity}}
	must(t, keeper.Make(t.Context(), specs))
	set, err := keeper.Load(t.Context(), specs)
	must(t, err)
	return set
}

// memory is a bucket.
type memory map[string][]byte

var memoryLock sync.Mutex

func (m memory) Get(_ context.Context, key string) ([]byte, error) {
	memoryLock.Lock()
	defer memoryLock.Unlock()
	data, ok := m[key]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return data, nil
}

func (m memory) PutNew(_ context.Context, key string, data []byte) error {
	memoryLock.Lock()
	defer memoryLock.Unlock()
	if _, ok := m[key]; ok {
		return fs.ErrExist
	}
	m[key] = data
	return nil
}

func (m memory) List(_ context.Context, prefix string) ([]string, error) {
	memoryLock.Lock()
	defer memoryLock.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(key string) bool { return !strings.HasPrefix(key, prefix) }), nil
}
