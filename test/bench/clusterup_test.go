// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/converge"
)

// writeEnvironment makes p an environment of clusterup's own on the cluster that is
// there, with one add-on that gives the objects.
func (w *world) writeEnvironment(t *testing.T, p *place) {
	t.Helper()
	write(t, filepath.Join(p.dir, "environments", p.namespace+".yaml"), fmt.Appendf(nil, `apiVersion: clusterup.dev/v1alpha1
kind: Environment
metadata: {name: %s}
spec:
  development: true
  cluster: {kubeconfig: {path: %s, context: test}}
  store: {bucket: %s, region: %s, endpoint: %q, pathStyle: true}
  operators: [{name: me, self: true}]
  addons: [{name: bench}]
`, p.namespace, w.kubeconfig, w.s3.Bucket, w.s3.Region, w.s3.Endpoint))
	var unready []string // no controller runs that would say anything else
	for _, o := range p.objects {
		if o.GetKind() == "Deployment" {
			unready = append(unready, "Deployment/"+o.GetName())
		}
	}
	write(t, filepath.Join(p.dir, "addons/bench/addon.yaml"), fmt.Appendf(nil, `apiVersion: clusterup.dev/v1alpha1
kind: Addon
name: bench
version: 1.0.0
description: Many objects
namespace: %s
ready: {skip: [%s]}
`, p.namespace, strings.Join(unready, ", ")))
	const together = 500
	for i := 0; i < len(p.objects); i += together {
		var text bytes.Buffer
		for _, o := range p.objects[i:min(i+together, len(p.objects))] {
			plain := o.DeepCopy()
			plain.SetNamespace("")
			plain.SetLabels(nil) // clusterup sets both
			data, err := json.Marshal(plain.Object)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&text, "---\n%s\n", data)
		}
		write(t, filepath.Join(p.dir, fmt.Sprintf("addons/bench/manifests/%05d.yaml", i)), text.Bytes())
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) create(ctx context.Context, p *place) (result, error) {
	out, err := execute(ctx, w.clusterupCommand(p, "create", p.namespace, "--yes"))
	return out.result(), err
}

func (w *world) diff(ctx context.Context, p *place) (result, error) {
	c := w.clusterupCommand(p, "diff", p.namespace, "--output", "json")
	c.fine = 2 // there are changes
	out, err := execute(ctx, c)
	r := out.result()
	if err == nil {
		r.Changes, r.Named, err = changesIn(out.stdout)
	}
	return r, err
}

// changesIn counts the changes in the plan and gives the first field that differs.
func changesIn(plan []byte) (changes int, named string, err error) {
	var steps struct {
		Steps []struct {
			Changes []converge.Change `json:"changes"`
		} `json:"steps"`
	}
	if err := json.Unmarshal(plan, &steps); err != nil {
		return 0, "", errors.New("the plan is not what it was: " + err.Error())
	}
	for _, step := range steps.Steps {
		changes += len(step.Changes)
		if named == "" {
			named = nameOf(step.Changes)
		}
	}
	return changes, named, nil
}

func (w *world) clusterupCommand(p *place, args ...string) command {
	return command{
		path: w.clusterup, args: args, dir: p.dir,
		env: []string{
			"HOME=" + p.dir, "NO_COLOR=1", "KUBECONFIG=",
			"AWS_ACCESS_KEY_ID=" + w.s3.AccessKey, "AWS_SECRET_ACCESS_KEY=" + w.s3.SecretKey.RevealString(),
			"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_PROFILE=", "AWS_SESSION_TOKEN=", "AWS_CA_BUNDLE=",
		},
	}
}
