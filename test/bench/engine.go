// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
	"clusterup.dev/clusterup/internal/secret"
)

// engine is what clusterup applies an add-on with, without the store around it: what
// the last run observed is kept in a file.
func engine(ctx context.Context, j *job) (result, error) {
	start := time.Now()
	c, err := kube.Connect(kube.Config{Kubeconfig: j.kubeconfig})
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	cluster, err := c.Identity(ctx)
	if err != nil {
		return result{}, err
	}
	memory, err := os.ReadFile(j.memory)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return result{}, err
	}
	seen := kube.ReadObserved(memory, cluster.UID, secret.NewString("the same in every run of a cell"))
	plan, err := c.Plan(ctx, j.objects, kube.Options{Observed: seen})
	if err != nil {
		return result{}, err
	}
	changes := plan.Changes()
	r := result{Found: time.Since(start).Seconds(), Changes: len(changes)}
	r.Named = nameOf(changes)
	if err := c.Apply(ctx, plan); err != nil {
		return r, err
	}
	return r, os.WriteFile(j.memory, seen.Bytes(), 0o600)
}

// nameOf gives the first field that differs: the object, the path, and who wrote it.
func nameOf(changes []converge.Change) string {
	for _, change := range changes {
		for _, field := range change.Fields {
			writer, _, _ := strings.Cut(field.Manager, " at ")
			return fmt.Sprintf("%s %s %s", change.Subject, field.Path, writer)
		}
	}
	return ""
}
