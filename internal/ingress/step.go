// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"fmt"
	"strings"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

// Step waits until requests reach every controller. Its plan names what is
// claimed twice; that is for the owners of the routes to settle.
func (i *Ingress) Step() converge.Step { return step{i} }

type step struct{ *Ingress }

func (s step) Name() string { return s.Config.Step }

// Destroy does nothing: the controllers are the add-on's objects.
func (step) Destroy(context.Context) error { return nil }

// Plan says who does not answer.
func (s step) Plan(ctx context.Context) (converge.Plan, error) {
	status, err := s.Status(ctx)
	if err != nil {
		return converge.Plan{}, err
	}
	plan := converge.Plan{Notices: status.notices()}
	if !status.Whole() {
		plan.Changes = []converge.Change{{Subject: "answers of the controllers", Action: converge.Wait, Note: status.lacking()}}
	}
	return plan, nil
}

// Apply waits until all answer. A certificate that is not what the environment
// says does not mend itself.
func (s step) Apply(ctx context.Context, _ converge.Plan) error {
	return converge.Until(ctx, "an answer of every ingress controller", s.Timeout, func(ctx context.Context) (bool, string, error) {
		status, err := s.Status(ctx)
		switch {
		case err != nil:
			return false, "", err
		case status.Foreign != nil:
			return false, "", converge.Permanent(hint.With(status.Foreign,
				"docs/ingress.md says where the certificate comes from, and how it is made anew for another domain"))
		}
		return status.Whole(), status.lacking(), nil
	})
}

func (s Status) lacking() string {
	if s.Controllers == 0 {
		return "there is no controller"
	}
	return fmt.Sprintf("%d of %d answer (%s)", s.Answering, s.Controllers, strings.Join(s.Silent, "; "))
}

func (s Status) notices() []string {
	notices := make([]string, 0, len(s.Doubles)+1)
	if warning := s.Warning(); warning != "" {
		notices = append(notices, warning)
	}
	for _, d := range s.Doubles {
		notices = append(notices, d.String())
	}
	return notices
}
