// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"clusterup.dev/clusterup/internal/converge"
)

// transientFor is how long errors that pass by themselves are put up with: a webhook
// whose pods restart, an API server that is just being replaced.
const transientFor = time.Minute

// persist calls do again while its error is a passing one. Server-side apply may be
// repeated: a request whose answer was lost has done no more than it should.
func persist(ctx context.Context, r Ref, do func(ctx context.Context) error) error {
	var last error
	err := converge.Until(ctx, r.String(), transientFor, func(ctx context.Context) (bool, string, error) {
		last = do(ctx)
		return last == nil, "", unlessPassing(r, last)
	})
	var timeout *converge.TimeoutError
	if errors.As(err, &timeout) && last != nil {
		return last
	}
	return err
}

// transient tells errors that pass by themselves from those that stay.
func transient(r Ref, err error) bool {
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err),
		apierrors.IsServiceUnavailable(err), apierrors.IsAlreadyExists(err):
		return true
	case strings.Contains(err.Error(), "typed patch object"), strings.Contains(err.Error(), "failed to convert new object"):
		return false // internal errors by their code, but what they say is that the manifest has a wrong field
	case apierrors.IsNotFound(err):
		// The server takes a moment to serve a new CRD, or to see a new namespace.
		return isCustom(r) || strings.Contains(err.Error(), "namespaces ")
	case apierrors.IsForbidden(err):
		// A controller makes the default service account of a new namespace.
		return r.Kind == "Pod" && strings.Contains(err.Error(), "error looking up service account")
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Code >= http.StatusInternalServerError
	}
	return lostConnection(err)
}

func lostConnection(err error) bool {
	var network *net.OpError // not net.Error: a certificate that is refused comes as one too
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &network) || strings.Contains(err.Error(), "http2: ")
}

// unlessPassing makes an error end a wait unless it is one that passes by itself.
func unlessPassing(r Ref, err error) error {
	if err == nil || transient(r, err) {
		return err
	}
	return converge.Permanent(err)
}
