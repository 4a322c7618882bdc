// SPDX-License-Identifier: Apache-2.0

// Package app wires the packages into one environment. Open reads and checks
// everything that can be checked without a network; Look and Hold connect; the
// Session then plans and applies the list in steps.go. A reconciler would import
// this package, not the command line.
package app

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"clusterup.dev/clusterup/internal/environment"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/localcluster"
	"clusterup.dev/clusterup/internal/strictyaml"
	modules "clusterup.dev/clusterup/terraform"
)

// Options are what the command line knows.
type Options struct {
	Environment  string        // a name (environments/NAME.yaml) or a path
	Identity     string        // file with the operator's own key; "" is the default place
	Holders      []string      // files with the keys of others who are there; what is sealed to them can be opened too
	Operation    string        // what the run lock says that it is held for
	Version      string        // of clusterup
	Reinitialise bool          // a Vault's storage that holds a lost init and nothing else may be emptied
	AllowPrune   bool          // what is protected may be deleted, and more than the budget
	LockTimeout  time.Duration // how long to wait for a run that holds the lock
	AddonsDirs   []string      // more folders of add-ons; later ones count
	// Say tells the reader something that happens once, such as that an identity
	// was made. It gets one line.
	Say func(line string)
}

// environmentsDir is where names of environments are looked for.
const environmentsDir = "environments"

// App is one environment, read and checked.
type App struct {
	options Options
	env     *environment.Environment
	addons  []chosen             // those needed stand before those that need them
	local   *localcluster.Config // nil unless its nodes run on this machine
}

// Open reads the environment file and its add-ons and refuses whatever is wrong
// with them, before anything is made.
func Open(o Options) (*App, error) {
	env, err := environment.Load(o.Environment, environmentsDir)
	if err != nil {
		return nil, err
	}
	a := &App{options: o, env: env}
	if a.addons, err = choose(env, o.AddonsDirs); err != nil {
		return nil, err
	}
	if err := a.checkHooks(); err != nil {
		return nil, err
	}
	if err := checkModule(env); err != nil {
		return nil, err
	}
	if a.local, err = localConfig(env); err != nil {
		return nil, err
	}
	return a, nil
}

// Name is the environment's name.
func (a *App) Name() string { return a.env.Metadata.Name }

// Timeout is how long a run may take.
func (a *App) Timeout() time.Duration { return time.Duration(a.env.Spec.Timeout) }

// checkModule refuses a Terraform module that the program does not carry.
func checkModule(env *environment.Environment) error {
	tf := env.Spec.Cluster.Terraform
	if tf == nil {
		return nil
	}
	entries, err := fs.ReadDir(modules.FS, ".")
	if err != nil {
		return fmt.Errorf("reading the Terraform modules: %w", err)
	}
	known := []string{}
	for _, e := range entries {
		if e.IsDir() {
			known = append(known, e.Name())
		}
	}
	if slices.Contains(known, tf.Module) {
		return nil
	}
	return hint.With(env.Errorf([]any{"spec", "cluster", "terraform", "module"}, "there is no Terraform module %q", tf.Module),
		"%s", strictyaml.Nearest(tf.Module, known))
}

// localConfig reads the variables of the local module; nil for another one.
func localConfig(env *environment.Environment) (*localcluster.Config, error) {
	tf := env.Spec.Cluster.Terraform
	if tf == nil || tf.Module != environment.ModuleLocal {
		return nil, nil //nolint:nilnil // another kind of cluster is no error
	}
	servers, err := serversDir()
	if err != nil {
		return nil, err
	}
	c := &localcluster.Config{Environment: env.Metadata.Name, Servers: servers}
	for name, value := range tf.Variables {
		at := []any{"spec", "cluster", "terraform", "variables", name}
		switch name {
		case "nodes":
			n, ok := value.(int)
			if !ok || n < 1 || n > localcluster.MaxNodes {
				return nil, hint.With(env.Errorf(at, "nodes is no number from 1 to %d", localcluster.MaxNodes), "write nodes: 3")
			}
			c.Nodes = n
		case "subnet":
			s, ok := value.(string)
			if !ok {
				return nil, hint.With(env.Errorf(at, "subnet is no text"), "write an IPv4 /16 such as 10.88.0.0/16, or nothing for the first free one")
			}
			c.Subnet = s
		case "state":
			s, ok := value.(string)
			if !ok || !filepath.IsAbs(s) {
				return nil, hint.With(env.Errorf(at, "state is no absolute path"), "leave it out for %s", localcluster.DefaultStateRoot)
			}
			c.StateRoot = s
		default:
			return nil, hint.With(env.Errorf(at, "the module local has no variable %q", name), "%s", strictyaml.Nearest(name, []string{"nodes", "subnet", "state"}))
		}
	}
	return c, nil
}

// operatorNames lists the operators.
func operatorNames(env *environment.Environment) []string {
	names := make([]string, 0, len(env.Spec.Operators))
	for _, o := range env.Spec.Operators {
		names = append(names, o.Name)
	}
	return names
}

// say tells the reader one line.
func (a *App) say(format string, args ...any) {
	if a.options.Say != nil {
		a.options.Say(fmt.Sprintf(format, args...))
	}
}
