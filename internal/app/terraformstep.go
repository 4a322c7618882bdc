// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/localcluster"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/terraform"
	modules "clusterup.dev/clusterup/terraform"
)

// infrastructure makes the cluster with Terraform: nodes on this machine, or a
// cloud's. Local nodes that died change a variable, so that the plan shows them.
func (s *Session) infrastructure() converge.Step {
	return step{
		name: infrastructure,
		plan: func(ctx context.Context) (converge.Plan, error) {
			if s.whole == nil {
				return converge.Plan{Changes: []converge.Change{{
					Subject: "module " + s.env.Spec.Cluster.Terraform.Module, Action: converge.Create, Note: "nothing of this environment exists yet",
				}}}, nil
			}
			plan, err := s.terraform.Plan(ctx)
			return converge.Plan{Changes: plan.Changes, Basis: plan}, err
		},
		apply: func(ctx context.Context, p converge.Plan) error {
			plan, ok := p.Basis.(terraform.Plan)
			if !ok {
				return converge.ErrStale
			}
			return s.terraform.Apply(ctx, plan)
		},
		destroy: func(ctx context.Context) error {
			if s.terraform == nil {
				return nil // no store, so no state
			}
			if err := s.terraform.Destroy(ctx); err != nil {
				return err
			}
			return os.RemoveAll(s.terraformAt)
		},
	}
}

// openTerraform prepares Terraform with the environment's bucket as its backend.
// It is nil when the cluster is an existing one, and while there is no bucket.
func (s *Session) openTerraform(ctx context.Context, bucket *store.Config) (*terraform.Terraform, error) {
	spec := s.env.Spec.Cluster.Terraform
	if spec == nil || bucket == nil {
		return nil, nil //nolint:nilnil // neither is an error
	}
	binary, err := s.terraformBinary()
	if err != nil {
		return nil, err
	}
	module, err := fs.Sub(modules.FS, spec.Module)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", spec.Module, err)
	}
	dir, err := s.terraformDir(bucket)
	if err != nil {
		return nil, err
	}
	vars := spec.Variables
	if s.local != nil {
		if vars, err = s.localVariables(ctx); err != nil {
			return nil, err
		}
	}
	s.terraformAt = dir
	return terraform.New(terraform.Config{
		Binary: binary, WorkDir: dir, Module: module, Vars: vars,
		Backend: terraform.S3{
			Bucket: bucket.Bucket, Prefix: bucket.Prefix, Region: bucket.Region, Endpoint: bucket.Endpoint,
			PathStyle: bucket.PathStyle, CAFile: bucket.CAFile,
		}.Backend(),
		Env: credentials(bucket),
	})
}

// credentials reach Terraform through its environment, never through a file.
// None: Terraform looks where every AWS tool looks.
func credentials(bucket *store.Config) map[string]secret.Value {
	if bucket.AccessKey == "" {
		return nil
	}
	return map[string]secret.Value{"AWS_ACCESS_KEY_ID": secret.NewString(bucket.AccessKey), "AWS_SECRET_ACCESS_KEY": bucket.SecretKey}
}

// recoverTerraform cleans up after a run that was killed: it is called with the
// run lock held and before anything is planned.
func (s *Session) recoverTerraform(ctx context.Context) error {
	if s.terraform == nil {
		return nil
	}
	return s.terraform.Recover(ctx, s.lease, func(ctx context.Context) ([]byte, error) {
		data, _, err := s.bucket.Get(ctx, terraform.LockKey)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		return data, err
	})
}

// localVariables are what the module terraform/local is given: where everything
// is, and the generation that a look at the nodes gives.
func (s *Session) localVariables(ctx context.Context) (map[string]any, error) {
	reservation, err := localcluster.Reserved(*s.local)
	if err == nil && s.mode == removing {
		// Removing takes nodes and subnet as they are, and needs them reserved
		// only so that the module is told something.
		reservation, err = localcluster.Reserve(ctx, localcluster.Config{
			Environment: s.Name(), StateRoot: s.local.StateRoot, Servers: s.local.Servers, Subnet: reservation.Subnet,
		})
	}
	if err != nil {
		return nil, err
	}
	seen, err := localcluster.Observe(ctx, *s.local)
	if err != nil {
		return nil, err
	}
	state := s.local.StateRoot
	if state == "" {
		state = localcluster.DefaultStateRoot
	}
	return map[string]any{
		"environment": s.Name(), "clusterup": reservation.Binary, "state": state, "servers": s.local.Servers,
		"nodes": s.wantNodes(), "subnet": reservation.Subnet, "generation": seen.Generation,
	}, nil
}

// terraformDir is where Terraform works: nothing in it is needed again but to
// clean up after a killed run on this machine.
// One folder belongs to one state, whatever other environments are called.
func (s *Session) terraformDir(bucket *store.Config) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a folder for Terraform: %w", err)
	}
	state := sha256.Sum256([]byte(strings.Join([]string{bucket.Endpoint, bucket.Bucket, bucket.Prefix}, "\n")))
	return filepath.Join(cache, "clusterup", "terraform", s.Name()+"-"+hex.EncodeToString(state[:4])), nil
}

// wantNodes is how many nodes there have to be; zero where it is not known.
func (s *Session) wantNodes() int {
	switch {
	case s.local == nil:
		return 0
	case s.local.Nodes == 0:
		return localcluster.DefaultNodes
	}
	return s.local.Nodes
}

// outputs are what every Terraform module has to say about its cluster.
type outputs struct {
	Kubeconfig string `json:"kubeconfig"` // path of the file; never its content
	Endpoint   string `json:"endpoint"`   // https://...
	CA         string `json:"ca"`         // PEM certificate
}

func (s *Session) outputs(ctx context.Context) (outputs, error) {
	var o outputs
	if s.terraform == nil {
		return o, fmt.Errorf("the cluster: %w", converge.ErrNotYet)
	}
	values, err := s.terraform.Outputs(ctx)
	if err != nil {
		return o, err
	}
	for name, into := range map[string]*string{"kubeconfig": &o.Kubeconfig, "endpoint": &o.Endpoint, "ca": &o.CA} {
		value, ok := values[name]
		if !ok {
			return o, fmt.Errorf("output %s of the module: %w", name, converge.ErrNotYet)
		}
		if err := json.Unmarshal(value, into); err != nil {
			return o, fmt.Errorf("output %s of the module is no text: %w", name, err)
		}
	}
	if _, err := os.Stat(o.Kubeconfig); err != nil {
		return o, fmt.Errorf("%s: %w", o.Kubeconfig, converge.ErrNotYet)
	}
	return o, nil
}

// serversDir is the folder with the built servers: beside the program, or where
// CLUSTERUP_SERVERS says.
func serversDir() (string, error) {
	if dir := os.Getenv("CLUSTERUP_SERVERS"); dir != "" {
		return filepath.Abs(dir)
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding the servers: %w", err)
	}
	return filepath.Join(filepath.Dir(exe), "servers"), nil
}

// terraformBinary finds terraform, or tofu, on the PATH or among the servers.
func (s *Session) terraformBinary() (string, error) {
	servers, err := serversDir()
	if err != nil {
		return "", err
	}
	return terraform.Find(filepath.Join(servers, "bin"))
}
