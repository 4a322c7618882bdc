// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
)

// selector finds the objects of the benchmark, as clusterup does.
const selector = "clusterup.dev/addon=bench,clusterup.dev/environment=bench"

// bare applies all objects and looks at nothing: as fast as client-go is.
func bare(ctx context.Context, j *job) (result, error) {
	config, err := j.connection()
	if err != nil {
		return result{}, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return result{}, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	force := true
	for _, o := range j.objects {
		group.Go(func() error {
			body, err := json.Marshal(o.Object)
			if err != nil {
				return err
			}
			_, err = client.Resource(resourceOf(o)).Namespace(j.namespace).Patch(ctx, o.GetName(), types.ApplyPatchType, body,
				metav1.PatchOptions{FieldManager: "bare", Force: &force})
			return err
		})
	}
	return result{}, group.Wait()
}

// listMetadata reads the metadata of all objects once, as protobuf.
func listMetadata(ctx context.Context, j *job) (result, error) {
	config, err := j.connection()
	if err != nil {
		return result{}, err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return result{}, err
	}
	return result{}, eachKind(ctx, j, func(ctx context.Context, r schema.GroupVersionResource) error {
		_, err := client.Resource(r).Namespace(j.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		return err
	})
}

// listObjects reads all objects once, as JSON.
func listObjects(ctx context.Context, j *job) (result, error) {
	config, err := j.connection()
	if err != nil {
		return result{}, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return result{}, err
	}
	return result{}, eachKind(ctx, j, func(ctx context.Context, r schema.GroupVersionResource) error {
		_, err := client.Resource(r).Namespace(j.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		return err
	})
}

// eachKind calls list for all kinds of the objects, side by side.
func eachKind(ctx context.Context, j *job, list func(ctx context.Context, r schema.GroupVersionResource) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range resources(j.objects) {
		group.Go(func() error { return list(ctx, r) })
	}
	return group.Wait()
}
