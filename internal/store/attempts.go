// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"sync/atomic"

	"github.com/aws/smithy-go/middleware"
)

type attemptsKey struct{}

// withAttempts lets the caller see how often a request made under the context
// was sent: the SDK tells that only of requests that succeed.
func withAttempts(ctx context.Context) (context.Context, *atomic.Int32) {
	n := new(atomic.Int32)
	return context.WithValue(ctx, attemptsKey{}, n), n
}

// countAttempts stands inside the SDK's retry loop.
func countAttempts(stack *middleware.Stack) error {
	count := middleware.FinalizeMiddlewareFunc("clusterup/attempts", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if n, ok := ctx.Value(attemptsKey{}).(*atomic.Int32); ok {
			n.Add(1)
		}
		return next.HandleFinalize(ctx, in)
	})
	return stack.Finalize.Insert(count, "Retry", middleware.After)
}
