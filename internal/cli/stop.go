// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"time"

	"clusterup.dev/clusterup/internal/hint"
)

// underWay is what the steps met that were being carried out when the run was stopped.
type underWay struct {
	steps error
	cause error
}

func (u *underWay) Error() string { return u.steps.Error() }
func (u *underWay) Unwrap() error { return u.steps }

// orStopped says that the run was stopped instead of what that tore, or after what
// the steps say that were under way.
func (f *flags) orStopped(err error) error {
	var code exitCode
	var torn *underWay
	switch {
	case err == nil || errors.As(err, &code):
		return err
	case errors.As(err, &torn):
		return errors.Join(torn.steps, f.stoppedBy(torn.cause))
	case f.cause != nil && f.cause() != nil:
		return f.stoppedBy(f.cause())
	}
	return err
}

// deadlinePassed is the cause of a stop by the run's own deadline.
type deadlinePassed time.Duration

func (t deadlinePassed) Error() string {
	return fmt.Sprintf("the run's deadline of %s has passed", time.Duration(t))
}

func (f *flags) stoppedBy(cause error) error {
	err := fmt.Errorf("stopped: %w", cause)
	if hint.Of(cause) != "" {
		return err
	}
	var late deadlinePassed
	if errors.As(cause, &late) {
		return hint.With(err, "run it again: it goes on from here; --timeout gives it longer")
	}
	return hint.With(err, "run it again: it goes on from here (`%s`)", f.again)
}
