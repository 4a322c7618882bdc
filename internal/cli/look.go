// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/converge"
)

func newStatus(s Streams, f *flags) *cobra.Command {
	var wait bool
	c := &cobra.Command{
		Use: "status ENV", Short: "Nodes, add-ons, Consul, Vault, drift; exit code 3 when degraded",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel, a, err := f.open(c.Context(), s, args[0], "status")
			defer cancel()
			if err != nil {
				return err
			}
			session, err := a.Look(ctx)
			if err != nil {
				return err
			}
			status, err := look(ctx, session, wait, a.Timeout())
			if err != nil {
				return err
			}
			if f.format == "json" {
				err = writeJSON(s.Out, status)
			} else {
				output.Rows(s.Out, status.Rows())
			}
			if err == nil && !status.Healthy {
				return exitCode(ExitDegraded)
			}
			return err
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until it is healthy, up to the timeout")
	return c
}

// look asks once for the status with its drift, or until it is healthy.
func look(ctx context.Context, session *app.Session, wait bool, timeout time.Duration) (app.Status, error) {
	if !wait {
		return session.StatusAndDrift(ctx), nil
	}
	var status app.Status
	err := converge.Until(ctx, "a healthy environment", timeout, func(ctx context.Context) (bool, string, error) {
		status = session.StatusAndDrift(ctx)
		return status.Healthy, "degraded", nil
	})
	return status, err
}

func newKubeconfig(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "kubeconfig ENV", Short: "Print the kubeconfig of the environment's cluster",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel, a, err := f.open(c.Context(), s, args[0], "kubeconfig")
			defer cancel()
			if err != nil {
				return err
			}
			session, err := a.Look(ctx)
			if err != nil {
				return err
			}
			config, err := session.Kubeconfig(ctx)
			if err != nil {
				return err
			}
			_, err = s.Out.Write(config)
			return err
		},
	}
}

func newRender(s Streams, f *flags) *cobra.Command {
	var addon string
	c := &cobra.Command{
		Use: "render ENV", Short: "Render the manifests offline, secrets shown as placeholders",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			_, cancel, a, err := f.open(c.Context(), s, args[0], "render")
			defer cancel()
			if err != nil {
				return err
			}
			manifests, err := a.Render(addon)
			if err != nil {
				return err
			}
			_, err = s.Out.Write(manifests)
			return err
		},
	}
	c.Flags().StringVar(&addon, "addon", "", "only this `add-on`")
	return c
}

func newUnlock(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "unlock ENV", Short: "Take the run lock away from a run that is gone",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel, a, err := f.open(c.Context(), s, args[0], "unlock")
			defer cancel()
			if err != nil {
				return err
			}
			session, err := a.Look(ctx)
			if err != nil {
				return err
			}
			was, err := session.Unlock(ctx)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(s.Out, was)
			return err
		},
	}
}
