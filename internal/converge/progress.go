// SPDX-License-Identifier: Apache-2.0

package converge

import (
	"context"
	"fmt"
)

type progressKey struct{}

// WithProgress gives everything under ctx a place to say what it is doing. The
// runner sets it for each step.
func WithProgress(ctx context.Context, report func(message string)) context.Context {
	return context.WithValue(ctx, progressKey{}, report)
}

// Progress says in one clause what is being done or waited for. It goes to the
// reader of stderr, is never kept, and must not hold a secret.
func Progress(ctx context.Context, format string, args ...any) {
	if report, ok := ctx.Value(progressKey{}).(func(string)); ok {
		report(fmt.Sprintf(format, args...))
	}
}
