// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/kube"
)

// engine is what clusterup applies an add-on with, without the store around it.
func engine(ctx context.Context, j *job) (result, error) {
	start := time.Now()
	c, err := kube.Connect(kube.Config{Kubeconfig: j.kubeconfig})
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	plan, err := c.Plan(ctx, j.objects, kube.Options{})
	if err != nil {
		return result{}, err
	}
	changes := plan.Changes()
	r := result{Found: time.Since(start).Seconds(), Changes: len(changes)}
	r.Named = nameOf(changes)
	return r, c.Apply(ctx, plan)
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
