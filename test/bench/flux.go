// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/pkg/ssa"
	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// flux applies with the library that Flux's kustomize-controller and the flux
// command apply with.
func flux(ctx context.Context, j *job) (result, error) {
	log.SetLogger(logr.Discard()) // without one it complains
	config, err := j.connection()
	if err != nil {
		return result{}, err
	}
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		return result{}, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, http)
	if err != nil {
		return result{}, err
	}
	c, err := client.New(config, client.Options{HTTPClient: http, Mapper: mapper})
	if err != nil {
		return result{}, err
	}
	manager := ssa.NewResourceManager(c, polling.NewStatusPoller(c, mapper, polling.Options{}), ssa.Owner{Field: "flux", Group: "bench.example.com"})
	manager.SetConcurrency(concurrency)
	set, err := manager.ApplyAllStaged(ctx, j.objects, ssa.ApplyOptions{WaitInterval: 100 * time.Millisecond, WaitTimeout: time.Minute})
	r := result{}
	for _, entry := range set.Entries {
		if entry.Action != ssa.UnchangedAction {
			r.Changes++
		}
	}
	return r, err
}
