// SPDX-License-Identifier: Apache-2.0

// Package vault initialises, unseals and configures a Vault that runs as pods:
// steps over Vault's HTTP API, which say what they would do before they do
// it. What init hands out is kept by package custody.
package vault

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// Pod is a pod of the Vault StatefulSet.
type Pod struct {
	Name    string // "vault-0"
	UID     string
	Running bool
	// Outdated pods are of an older revision of the StatefulSet than it wants.
	Outdated bool
}

// Pods reaches the pods of one Vault.
type Pods interface {
	// List names those that exist, none being no error. Before there is a
	// cluster, and while it is not known which revision is wanted, the error wraps
	// converge.ErrNotYet.
	List(ctx context.Context) ([]Pod, error)
	// Delete asks the pod with this UID to end, and does not wait for it; another
	// one comes in its place. One that is gone is success.
	Delete(ctx context.Context, pod Pod) error
	// Dial connects to Vault's port inside the pod.
	Dial(ctx context.Context, pod string) (net.Conn, error)
}

// Tokens makes short-lived tokens of Kubernetes ServiceAccounts.
type Tokens interface {
	Token(ctx context.Context, serviceAccount string, audiences []string, ttl time.Duration) (secret.Value, error)
}

// Config is what the steps need. All of it is required but Settings.Roles, Couriers, Authority, Asks, Storage and Guard.
type Config struct {
	Pods   Pods
	Tokens Tokens // of the namespace that Vault runs in
	// CA gives the certificate of Vault's CA in PEM; before it is made, the
	// error wraps converge.ErrNotYet.
	CA func(ctx context.Context) ([]byte, error)
	// Escrow keeps what init hands out; before there is a bucket, the error
	// wraps converge.ErrNotYet.
	Escrow func(ctx context.Context) (*custody.Escrow, error)
	// Guard is called right before the one irreversible call, the init, which
	// is not sent when it fails: it asks once more for the run lock.
	Guard func(ctx context.Context) error
	// Storage is what Vault stores in; nil where it cannot be looked into.
	Storage Storage
	// Reinitialise allows that a storage which holds nothing but a lost init is
	// emptied, for a new one.
	Reinitialise bool
	// Holders, in the order of Settings.Holders.
	Holders []custody.Holder
	// Couriers are the ways, besides the bucket, in which holders get their shares.
	Couriers []custody.Courier
	Settings Settings
	// Authority issues the intermediates of pki engines in Settings.
	Authority Authority
	// Asks are what add-ons ask for; CheckAsks has passed them.
	Asks []Ask
	// Files is the add-on's folder: each files/policies/<name>.hcl is a policy.
	Files fs.FS
	// Namespace is the Kubernetes namespace that Vault runs in.
	Namespace string
	// Reviewer is who Vault asks about the tokens of pods; zero is the cluster
	// that Vault runs in.
	Reviewer Reviewer
	// Timeout bounds each wait for pods and for replicas. Zero is five minutes.
	Timeout time.Duration
}

// Reviewer is a Kubernetes API server as Vault reaches it.
type Reviewer struct {
	Host string // "https://..."
	CA   string // PEM; empty means what Vault's own pod is given
}

func (r Reviewer) host() string { return cmp.Or(r.Host, "https://kubernetes.default.svc") }

// Vault is one highly available Vault and the steps that make it useful.
type Vault struct {
	cfg Config

	mu    sync.Mutex
	peers map[string]*client // by pod UID
}

// Selector finds Vault's pods, and Port is where they answer.
const (
	Selector = "app.kubernetes.io/name=vault,app.kubernetes.io/component=server"
	Port     = 8200
)

// ServerName is the name in Vault's certificate that every connection verifies.
const ServerName = "vault.vault.svc"

// New prepares the steps. It connects to nothing.
func New(cfg Config) *Vault {
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Minute
	}
	return &Vault{cfg: cfg, peers: map[string]*client{}}
}

// InitStep is the step that vault/deliver needs; UnsealStep opens what is sealed.
const (
	InitStep   = "vault/init"
	UnsealStep = "vault/unseal"
)

// Steps returns vault/pods, vault/init, vault/unseal, vault/rollout and
// vault/configure. Each needs the one before it; the first needs the add-on's
// objects to be applied.
func (v *Vault) Steps() []converge.Step {
	return []converge.Step{podsStep{v}, initStep{v}, unsealStep{v}, rolloutStep{v}, configureStep{v}}
}

// Deliver returns vault/deliver, which needs InitStep and which no step needs.
func (v *Vault) Deliver() converge.Step { return deliverStep{v} }

// records opens what init hands out, and reads how far it got.
func (v *Vault) records(ctx context.Context) (*custody.Escrow, custody.Journal, error) {
	escrow, err := v.cfg.Escrow(ctx)
	if err != nil {
		return nil, custody.Journal{}, err
	}
	journal, err := escrow.Read(ctx)
	return escrow, journal, err
}

// allowed asks for the run lock once more right before something that cannot be taken
// back, which goes on heedless of the end of ctx afterwards.
func (v *Vault) allowed(ctx context.Context, what string) error {
	if v.cfg.Guard != nil {
		if err := v.cfg.Guard(ctx); err != nil {
			return fmt.Errorf("before %s: %w", what, err)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// activeReplica is the one that serves.
func (v *Vault) activeReplica(ctx context.Context) (replica, error) {
	replicas, err := v.look(ctx)
	if err != nil {
		return replica{}, err
	}
	at, ok := active(replicas)
	if !ok {
		return at, hint.With(fmt.Errorf("no replica of Vault is active: %s", notServing(replicas)), "`clusterup vault unseal ENV` first, with the same key shares")
	}
	return at, nil
}

// Close gives up the connections.
func (v *Vault) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for uid, c := range v.peers {
		c.close()
		delete(v.peers, uid)
	}
}
