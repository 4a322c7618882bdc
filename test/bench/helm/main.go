// SPDX-License-Identifier: Apache-2.0

// Package main applies the objects of the benchmark with Helm, as a chart of
// plain manifests. It is a module of its own because Helm takes minutes to build.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/kube"
)

const release = "bench"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run carries out `KUBECONFIG NAMESPACE OBJECTS MEMORY`: an installation where the
// file MEMORY is not there, else an upgrade.
func run(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return errors.New("usage: bench-helm KUBECONFIG NAMESPACE OBJECTS MEMORY")
	}
	c, err := read(args[2])
	if err != nil {
		return err
	}
	_, err = os.Stat(args[3])
	installed := err == nil

	start := time.Now()
	settings := cli.New()
	settings.KubeConfig = args[0]
	settings.SetNamespace(args[1])
	settings.QPS = -1 // no limit of its own, as for the other tools
	config := action.NewConfiguration(action.ConfigurationSetLogger(slog.NewTextHandler(io.Discard, nil)))
	if err := config.Init(settings.RESTClientGetter(), args[1], "secret"); err != nil {
		return err
	}
	if installed {
		upgrade := action.NewUpgrade(config)
		upgrade.Namespace, upgrade.ForceConflicts, upgrade.WaitStrategy = args[1], true, kube.HookOnlyStrategy
		upgrade.Timeout = time.Hour
		_, err = upgrade.RunWithContext(ctx, release, c, nil)
	} else {
		install := action.NewInstall(config)
		install.Namespace, install.ReleaseName, install.WaitStrategy = args[1], release, kube.HookOnlyStrategy
		install.Timeout = time.Hour
		_, err = install.RunWithContext(ctx, c, nil)
	}
	if err != nil {
		return err
	}
	took := time.Since(start).Seconds()
	if err := os.WriteFile(args[3], nil, 0o600); err != nil {
		return err
	}
	peak, err := peak()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"seconds": took, "peakKB": peak})
}

// read makes a chart of a list of objects, a hundred of them in a template.
func read(path string) (*chart.Chart, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c := &chart.Chart{Metadata: &chart.Metadata{APIVersion: "v2", Name: release, Version: "1.0.0"}}
	const together = 100
	for i := 0; i < len(list.Items); i += together {
		var text bytes.Buffer
		for _, item := range list.Items[i:min(i+together, len(list.Items))] {
			fmt.Fprintf(&text, "---\n%s\n", item)
		}
		c.Templates = append(c.Templates, &common.File{Name: fmt.Sprintf("templates/%05d.yaml", i), Data: text.Bytes()})
	}
	return c, nil
}

// peak is the most memory in kB that this process held.
func peak() (kB int, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, value, _ := strings.Cut(string(status), "VmHWM:")
	_, err = fmt.Sscan(value, &kB)
	return kB, err
}
