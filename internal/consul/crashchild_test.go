// SPDX-License-Identifier: Apache-2.0

package consul_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/addon"
	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/secret"
)

// A killed run is a process of this test binary that kills itself at a boundary.
const (
	worldEnv = "CLUSTERUP_TEST_WORLD" // file with the ground that it works on
	doEnv    = "CLUSTERUP_TEST_DO"    // name of a scenario
	killEnv  = "CLUSTERUP_TEST_KILL"  // "before 3", "after 3": that write to the bucket; "wire 9": after that write to Consul; "cut 9": its connection breaks there
)

func TestMain(m *testing.M) {
	if path := os.Getenv(worldEnv); path != "" {
		if err := child(os.Stdout, path, os.Getenv(doEnv), os.Getenv(killEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // it is the main of the process that is killed
		}
		return
	}
	m.Run()
}

// ground is what a run works on, in this process or in a child: a bucket, an
// operator's identity, and servers if there are any.
type ground struct {
	Dir       string
	Addresses []string // by ordinal
}

func (g ground) bucket() folder   { return folder{filepath.Join(g.Dir, "bucket")} }
func (g ground) identity() string { return filepath.Join(g.Dir, "identity", "key.txt") }

// crashRun is one run, whose bucket and connections may be its death.
type crashRun struct {
	keeper  *secret.Keeper
	specs   []secret.Spec
	cluster *consul.Cluster
}

// open prepares a run as the program does it.
func (g ground) open(bucket secret.Bucket, wrap func(net.Conn) net.Conn) (*crashRun, error) {
	a, err := addon.Load(os.DirFS("../../addons/consul"), "addons/consul")
	if err != nil {
		return nil, err
	}
	values, err := a.Merge(nil)
	if err != nil {
		return nil, err
	}
	r := &crashRun{}
	if r.specs, err = specsOf(a, values); err != nil {
		return nil, err
	}
	identities, err := secret.LoadIdentities(g.identity())
	if err != nil {
		return nil, err
	}
	r.keeper = &secret.Keeper{Bucket: bucket, Recipients: []secret.Recipient{identities[0].Recipient()}, Identities: identities}
	asks, err := asksOf(a, values)
	if err != nil {
		return nil, err
	}
	r.cluster, err = consul.New(consul.Config{
		Dialer: dialer{g.Addresses, wrap}, Asks: asks, Timeout: time.Minute,
		Tokens: func(ctx context.Context) (consul.Tokens, error) { return r.keeper.Load(ctx, r.specs) },
		Older: func(ctx context.Context, id string) ([]secret.Generation, error) {
			return r.keeper.Older(ctx, r.spec(id))
		},
	})
	return r, err
}

func (r *crashRun) spec(id string) secret.Spec {
	for _, s := range r.specs {
		if s.ID() == id {
			return s
		}
	}
	return secret.Spec{}
}

// steps are the hook's, and those that it leaves for the end of a run.
func (r *crashRun) steps() []converge.Item {
	items := r.cluster.Steps()
	for _, last := range r.cluster.Lastly() {
		items = append(items, converge.Item{Step: last, After: []string{items[len(items)-1].Step.Name()}})
	}
	return items
}

// converge carries out all steps as the program does.
func (r *crashRun) converge(ctx context.Context) error {
	defer r.cluster.Close()
	planned, err := converge.PlanAll(ctx, r.steps())
	if err != nil {
		return err
	}
	_, err = converge.Runner{}.Apply(ctx, planned)
	return err
}

type dialer struct {
	addresses []string
	wrap      func(net.Conn) net.Conn
}

// Dial connects to the server that stands for a pod.
func (d dialer) Dial(ctx context.Context, _, pod string, port int) (net.Conn, error) {
	i, err := strconv.Atoi(pod[strings.LastIndex(pod, "-")+1:])
	if err != nil || i >= len(d.addresses) {
		return nil, fmt.Errorf("there is no pod %s", pod)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(d.addresses[i], strconv.Itoa(port)))
	if err == nil && d.wrap != nil {
		conn = d.wrap(conn)
	}
	return conn, err
}

// child is a run that dies at a boundary, or tells how many there were.
func child(out io.Writer, path, do, kill string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var g ground
	if err := json.Unmarshal(data, &g); err != nil {
		return err
	}
	where, count, _ := strings.Cut(kill, " ")
	at, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		return err
	}
	var puts, writes atomic.Int64
	bucket := doomed{folder: g.bucket(), before: func() {
		if puts.Add(1) == at && where == "before" {
			die()
		}
	}, after: func() {
		if puts.Load() >= at && where == "after" {
			die()
		}
	}}
	r, err := g.open(bucket, func(c net.Conn) net.Conn {
		return doomedConn{Conn: c, after: func() error {
			switch n := writes.Add(1); {
			case n >= at && where == "wire":
				die()
			case n == at && where == "cut":
				return c.Close()
			}
			return nil
		}}
	})
	if err != nil {
		return err
	}
	if err := scenarios()[do].run(context.Background(), r); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d puts, %d writes\n", puts.Load(), writes.Load())
	return nil
}

func die() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }

// doomed is a bucket that the process dies at.
type doomed struct {
	folder
	before, after func()
}

// PutNew writes what is not there.
func (d doomed) PutNew(ctx context.Context, key string, data []byte) error {
	d.before()
	defer d.after()
	return d.folder.PutNew(ctx, key, data)
}

type doomedConn struct {
	net.Conn
	after func() error
}

func (d doomedConn) Write(p []byte) (int, error) {
	n, err := d.Conn.Write(p)
	return n, errors.Join(err, d.after())
}

// folder is a bucket that outlives a process.
type folder struct{ dir string }

// Get reads an object.
func (f folder) Get(_ context.Context, key string) ([]byte, error) {
	return os.ReadFile(filepath.Join(f.dir, key))
}

// PutNew writes a whole object or none, and refuses where there is one.
func (f folder) PutNew(_ context.Context, key string, data []byte) error {
	path := filepath.Join(f.dir, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(f.dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	if _, err := temporary.Write(data); err != nil {
		return err
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Link(temporary.Name(), path)
}

// List names the objects below a prefix.
func (f folder) List(_ context.Context, prefix string) ([]string, error) {
	var keys []string
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		key, err := filepath.Rel(f.dir, path)
		if strings.HasPrefix(key, prefix) && !strings.HasPrefix(d.Name(), ".") {
			keys = append(keys, filepath.ToSlash(key))
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return keys, err
}
