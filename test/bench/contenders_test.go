// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// operation is one run of a tool on the objects of p.
type operation func(ctx context.Context, p *place) (result, error)

// contender is a way to have the objects as they are wanted.
type contender struct {
	name    string // its row
	short   string // in TOOLS, and in the name of its namespaces
	apply   operation
	look    string // the row of the command that only looks; "" for none
	lookRun operation
	beside  []reading // measured on the same objects, in turns with doing nothing
	prepare func(t *testing.T, p *place)
	repeats int  // of doing nothing, where that is quick
	named   bool // it says what differs
	mayFail bool // its limits are part of the result
	upTo    int
}

// reading is a row that only reads.
type reading struct {
	name string
	run  operation
}

// Rows that goals are about.
const (
	rowBare     = "bare client-go"
	rowEngine   = "clusterup, its engine"
	rowCreate   = "`clusterup create`"
	rowDiff     = "`clusterup diff`"
	rowMetadata = "one LIST a kind: metadata, protobuf"
	rowObjects  = "one LIST a kind: objects, JSON"
)

func contenders(w *world) []contender {
	all := []contender{
		{name: rowBare, short: "bare", apply: w.tool("bare")},
		{
			name: rowEngine, short: "engine", apply: w.tool("clusterup"), repeats: 3, named: true,
			beside: []reading{{rowMetadata, w.tool("list-metadata")}, {rowObjects, w.tool("list-objects")}},
		},
		{
			name: rowCreate, short: "create", apply: w.create, look: rowDiff, lookRun: w.diff, repeats: 3, named: true,
			prepare: w.writeEnvironment,
		},
		{name: "fluxcd/pkg/ssa", short: "flux", apply: w.tool("flux")},
	}
	if w.helm != "" {
		all = append(all, contender{name: "Helm", short: "helm", apply: w.runHelm, mayFail: true})
	}
	if w.kubectl > 0 {
		all = append(all, contender{
			name: "`kubectl apply --server-side`", short: "kubectl", apply: w.kubectlApply,
			look: "`kubectl diff --server-side`", lookRun: w.kubectlDiff, upTo: w.kubectl,
		})
	}
	return slices.DeleteFunc(all, func(c contender) bool { return len(w.tools) > 0 && !slices.Contains(w.tools, c.short) })
}

// tool runs one of this program's own in a process of its own.
func (w *world) tool(name string) operation {
	return func(ctx context.Context, p *place) (result, error) {
		out, err := execute(ctx, command{
			path: w.self, args: []string{name, w.kubeconfig, p.namespace, p.file, filepath.Join(p.dir, "memory")},
			env: []string{"BENCH_TOOL=1"},
		})
		return reported(out, err)
	}
}

func (w *world) runHelm(ctx context.Context, p *place) (result, error) {
	out, err := execute(ctx, command{
		path: w.helm, args: []string{w.kubeconfig, p.namespace, p.file, filepath.Join(p.dir, "memory")},
		env: []string{"HOME=" + p.dir},
	})
	return reported(out, err)
}

// reported reads what a program of ours says that it took.
func reported(out output, err error) (result, error) {
	if err != nil {
		return result{}, err
	}
	r := result{}
	if err := json.Unmarshal(out.stdout, &r); err != nil {
		return r, fmt.Errorf("reading its result: %w", err)
	}
	return r, nil
}

func (w *world) kubectlApply(ctx context.Context, p *place) (result, error) {
	out, err := execute(ctx, w.kubectlCommand(p, "apply", "--server-side", "--force-conflicts", "-f", p.file))
	return out.result(), err
}

func (w *world) kubectlDiff(ctx context.Context, p *place) (result, error) {
	c := w.kubectlCommand(p, "diff", "--server-side", "--force-conflicts", "-f", p.file)
	c.fine = 1 // there are differences
	out, err := execute(ctx, c)
	return out.result(), err
}

func (w *world) kubectlCommand(p *place, args ...string) command {
	return command{path: w.kubectlBin, args: append([]string{"--kubeconfig", w.kubeconfig}, args...), env: []string{"HOME=" + p.dir}}
}
