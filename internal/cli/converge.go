// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/cli/output"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

func newCreate(s Streams, f *flags) *cobra.Command {
	var yes bool
	var only, confirm string
	c := &cobra.Command{
		Use: "create ENV", Short: "Make the environment be; also right on what exists already",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.confirmEmptying(s, args[0], confirm); err != nil {
				return err
			}
			return f.converge(c.Context(), s, args[0], run{operation: "create", only: only, ask: !yes})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "carry the plan out without asking")
	c.Flags().StringVar(&only, "only", "", "only this `step`, or all of this add-on, and what it stands on")
	c.Flags().BoolVar(&f.reinitialise, "reinitialize-empty", false, "after an init of Vault whose key shares were lost: see that its storage holds nothing else, empty it, and init anew; asks for the environment's name")
	c.Flags().StringVar(&confirm, "confirm", "", "the environment's `name`, in place of the question of --reinitialize-empty")
	allowPrune(c, f)
	lockTimeout(c, f)
	return c
}

// confirmEmptying has the environment named before a run may empty Vault's storage.
func (f *flags) confirmEmptying(s Streams, name, confirm string) error {
	if !f.reinitialise {
		return nil
	}
	question := fmt.Sprintf("if the Vault of %s was initialised and its key shares were lost, this empties its storage; "+
		"whoever initialised it by hand would lose it; type the environment's name to go on: ", name)
	return confirmName(s, name, confirm, question, "--confirm "+name)
}

// shortestInterval keeps a loop from being a load.
const shortestInterval = time.Second

func newReconcile(s Streams, f *flags) *cobra.Command {
	var interval time.Duration
	c := &cobra.Command{
		Use: "reconcile ENV", Short: "Carry the plan out: put right what drifted",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("interval") && interval < shortestInterval {
				return hint.With(fmt.Errorf("an interval of %s is too short", interval), "give --interval %s or more, such as 5m", shortestInterval)
			}
			if interval == 0 {
				return f.converge(c.Context(), s, args[0], run{operation: "reconcile"})
			}
			return f.forever(c.Context(), s, args[0], interval)
		},
	}
	c.Flags().DurationVar(&interval, "interval", 0, "do it again for ever, this `duration` apart")
	allowPrune(c, f)
	lockTimeout(c, f)
	return c
}

func allowPrune(c *cobra.Command, f *flags) {
	c.Flags().BoolVar(&f.allowPrune, "allow-prune", false, "also delete what is protected (namespaces, CRDs, volumes, secrets with tokens, what protect: names), and more than half of an add-on of four objects or more")
}

func lockTimeout(c *cobra.Command, f *flags) {
	c.Flags().DurationVar(&f.lockTimeout, "lock-timeout", 0, "wait this `duration` for another run to end (default: do not wait)")
}

func newDiff(s Streams, f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "diff ENV", Short: "Print the plan, all layers; exit code 2 when there are changes",
		Args: environmentArg,
		RunE: func(c *cobra.Command, args []string) error {
			return f.look(c.Context(), s, args[0], "diff", func(ctx context.Context, session *app.Session) error {
				planned, err := session.Plan(ctx, "")
				if err != nil && !pending(planned) && f.format == "text" {
					return err // "nothing to do" would be a guess
				}
				if writeErr := f.writePlan(s, planned); writeErr != nil {
					return writeErr
				}
				if err == nil && pending(planned) {
					return exitCode(ExitChanges)
				}
				return err
			})
		},
	}
}

// run is one converging run.
type run struct {
	operation string
	only      string
	ask       bool
	prepare   func(ctx context.Context, session *app.Session) error // nil: nothing is to be done before it is planned
}

// converge plans, asks where that is wanted, carries the plan out, and ends with
// the state of the environment and how long each step took.
func (f *flags) converge(ctx context.Context, s Streams, name string, r run) error {
	start := time.Now()
	ctx, end, session, err := f.hold(ctx, s, name, r.operation)
	defer end()
	if err != nil {
		return err
	}
	if r.prepare != nil {
		if err := r.prepare(ctx, session); err != nil {
			return err
		}
	}
	planned, planErr := session.Plan(ctx, r.only)
	if !pending(planned) {
		if planErr != nil {
			return planErr
		}
		return f.settled(ctx, s, session, time.Since(start))
	}
	if err := session.Allowed(planned); err != nil {
		if r.ask || r.prepare != nil { // diff would not show the plan of a rollback
			output.Plan(s.Err, planned)
		}
		return err
	}
	if r.ask {
		if err := f.confirmPlan(s, planned); err != nil {
			return err
		}
	} else if f.format == "text" && f.logLevel != "error" {
		fmt.Fprintf(s.Err, "  %s %s\n", session.Name(), output.Summary(planned))
	}
	progress := f.progress(s, names(planned))
	results, err := session.Apply(ctx, planned, progress.Event)
	progress.End()
	if err != nil && ctx.Err() != nil {
		return &underWay{steps: err, cause: context.Cause(ctx)}
	}
	return errors.Join(err, f.finish(ctx, s, session, results, time.Since(start)))
}

func (f *flags) settled(ctx context.Context, s Streams, session *app.Session, took time.Duration) error {
	next := session.AsksFor(ctx)
	if f.format == "json" {
		return writeJSON(s.Out, finished{Environment: session.Name(), Changed: false, Seconds: took.Seconds(), Next: next})
	}
	fmt.Fprintf(s.Out, "%s: nothing to do (%s)\n", session.Name(), output.Seconds(took))
	sayNext(s, next)
	return nil
}

// sayNext tells, after a rollback, what the environment's file still asks for.
func sayNext(s Streams, next string) {
	if next != "" {
		fmt.Fprintln(s.Out, next)
	}
}

// forever reconciles until the context ends. A run that fails is reported and
// tried again at the next turn.
func (f *flags) forever(ctx context.Context, s Streams, name string, interval time.Duration) error {
	for {
		if err := f.converge(ctx, s, name, run{operation: "reconcile"}); err != nil {
			report(s.Err, f.orStopped(err))
		}
		select {
		case <-ctx.Done():
			return f.stoppedBy(context.Cause(ctx))
		case <-time.After(interval):
		}
	}
}

func pending(planned []converge.Planned) bool {
	for _, p := range planned {
		if p.Pending() {
			return true
		}
	}
	return false
}

func names(planned []converge.Planned) []string {
	all := make([]string, 0, len(planned))
	for _, p := range planned {
		all = append(all, p.Step.Name())
	}
	return all
}
