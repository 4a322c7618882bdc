// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"

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
			return f.look(c.Context(), s, args[0], "status", func(ctx context.Context, session *app.Session) error {
				return f.status(ctx, s, session, wait)
			})
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until it is healthy, up to the timeout")
	return c
}

// look opens the environment to read it and hands the session to do.
func (f *flags) look(ctx context.Context, s Streams, name, operation string, do func(context.Context, *app.Session) error) error {
	ctx, cancel, a, err := f.open(ctx, s, name, operation)
	defer cancel()
	if err != nil {
		return err
	}
	session, err := a.Look(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	return do(ctx, session)
}

// status writes the status once, or when it is healthy.
func (f *flags) status(ctx context.Context, s Streams, session *app.Session, wait bool) error {
	status := session.StatusAndDrift(ctx)
	if wait && !status.Healthy {
		err := converge.Until(ctx, "a healthy environment", session.Timeout(), func(ctx context.Context) (bool, string, error) {
			status = session.StatusAndDrift(ctx)
			return status.Healthy, "degraded", nil
		})
		if err != nil {
			return err
		}
	}
	if f.format == "json" {
		if err := writeJSON(s.Out, status); err != nil {
			return err
		}
	} else {
		output.Rows(s.Out, status.Rows())
	}
	if !status.Healthy {
		return exitCode(ExitDegraded)
	}
	return nil
}

func newKubeconfig(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "kubeconfig ENV", Short: "Print the kubeconfig of the environment's cluster",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.look(c.Context(), s, args[0], "kubeconfig", func(ctx context.Context, session *app.Session) error {
				config, err := session.Kubeconfig(ctx)
				if err != nil {
					return err
				}
				_, err = s.Out.Write(config)
				return err
			})
		},
	}
}

func newUnlock(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "unlock ENV", Short: "Take the run lock away from a run that is gone",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.look(c.Context(), s, args[0], "unlock", func(ctx context.Context, session *app.Session) error {
				was, err := session.Unlock(ctx)
				if err != nil {
					return err
				}
				if f.format == "json" {
					return writeJSON(s.Out, map[string]string{"result": was})
				}
				_, err = fmt.Fprintln(s.Out, was)
				return err
			})
		},
	}
}
