// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"clusterup.dev/clusterup/internal/store"
)

// A killed run is a process of this test binary that kills itself at a boundary.
const (
	worldEnv = "CLUSTERUP_TEST_WORLD" // file with the world to work on
	killEnv  = "CLUSTERUP_TEST_KILL"  // "before 3", "after 3": the write to the bucket; "wire 9": the write to Vault
)

func TestMain(m *testing.M) {
	if path := os.Getenv(worldEnv); path != "" {
		if err := child(os.Stdout, path, os.Getenv(killEnv)); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

func child(out io.Writer, path, kill string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var w world
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	where, count, _ := strings.Cut(kill, " ")
	at, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	var puts, writes atomic.Int64
	bucket := &doomed{folder: w.bucket(), before: func() {
		if puts.Add(1) == int64(at) && where == "before" {
			die()
		}
	}, after: func() {
		if puts.Load() >= int64(at) && where == "after" {
			die()
		}
	}}
	v, err := w.vault(bucket, func(c net.Conn) net.Conn {
		return &doomedConn{Conn: c, after: func() {
			if writes.Add(1) >= int64(at) && where == "wire" {
				die()
			}
		}}
	})
	if err != nil {
		return err
	}
	if w.Rekey {
		err = rekey(context.Background(), v)
	} else {
		_, err = run(context.Background(), v)
	}
	fmt.Fprintf(out, "%d puts, %d writes\n", puts.Load(), writes.Load())
	return err
}

func die() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }

// doomed is a bucket that the process dies at.
type doomed struct {
	*folder
	before, after func()
}

func (d *doomed) PutNew(ctx context.Context, key string, data []byte) (store.Version, error) {
	d.before()
	defer d.after()
	return d.folder.PutNew(ctx, key, data)
}

func (d *doomed) Delete(ctx context.Context, key string) error {
	d.before()
	defer d.after()
	return d.folder.Delete(ctx, key)
}

type doomedConn struct {
	net.Conn
	after func()
}

func (d *doomedConn) Write(p []byte) (int, error) {
	n, err := d.Conn.Write(p)
	d.after()
	return n, err
}

// killAt runs a child to its death and reports whether it died of it.
func (w *world) killAt(t *testing.T, where string) (killed bool, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), worldEnv+"="+w.save(t), killEnv+"="+where)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
		return true, string(out)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", where, err, out)
	}
	return false, string(out)
}

// testCrashes kills a run at every write to the bucket, before it and after it,
// and at a few writes to Vault between them. Afterwards a run ends with a
// working Vault, or with the one refusal that is right: the kill fell between
// init being sent and its answer being kept.
func testCrashes(t *testing.T, g *ground) {
	whole := g.newWorld(t, 1)
	_, said := whole.killAt(t, "before 0")
	var puts, writes int
	if _, err := fmt.Sscanf(said, "%d puts, %d writes", &puts, &writes); err != nil {
		t.Fatalf("%q: %v", said, err)
	}
	t.Logf("a whole run has %d writes to the bucket and %d to Vault", puts, writes)
	var places []string
	for n := 1; n <= puts; n++ {
		places = append(places, fmt.Sprintf("before %d", n))
	}
	places = append(places, fmt.Sprintf("after %d", puts))
	step := writes / 8
	if os.Getenv("CLUSTERUP_CRASH") == "all" {
		step = 1
	}
	for n := 1; n < writes; n += step {
		places = append(places, fmt.Sprintf("wire %d", n))
	}
	refused := 0
	for _, where := range places {
		t.Run(where, func(t *testing.T) {
			w := g.newWorld(t, 1)
			// How often a run writes to Vault varies: one that came through is as good.
			if killed, out := w.killAt(t, where); !killed && !strings.HasPrefix(where, "wire") {
				t.Fatalf("the run was not killed\n%s", out)
			}
			lostWindow := w.initialisedWithoutAnswer(t)
			_, err := run(t.Context(), w.open(t))
			switch {
			case lostWindow && errors.Is(err, ErrLost):
				refused++
				return
			case err != nil:
				t.Fatalf("the run after the kill: %v", err)
			}
			w.mustServe(t)
			if sealed, receipts := w.dealt(t); sealed != 3 || receipts != 3 {
				t.Errorf("%d shares and %d receipts, want 3 of each", sealed, receipts)
			}
		})
	}
	t.Logf("%d kills, %d of them between init and its answer being kept", len(places), refused)
	if refused == 0 {
		t.Error("no kill fell into the one window that cannot be closed: the test does not see it")
	}
}

// initialisedWithoutAnswer looks from outside whether the answer of init was lost.
func (w *world) initialisedWithoutAnswer(t *testing.T) bool {
	t.Helper()
	state, err := w.peerOf(t, 0).health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys := strings.Join(w.bucket().keys(t), " ")
	return state != Uninitialised && !strings.Contains(keys, answerSuffix) && !strings.Contains(keys, "-stored.json")
}

// podToken is what a pod of a ServiceAccount would have projected.
func podToken(t *testing.T, client *kubernetes.Clientset, namespace, name string) string {
	t.Helper()
	_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	_, err = client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	got, err := client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), name,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{Audiences: []string{audience}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Status.Token
}
