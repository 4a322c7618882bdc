// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"clusterup.dev/clusterup/internal/hint"
)

// plain is an SDK error in one clause; errors.As still finds the whole of it.
type plain struct {
	text string
	err  error
}

func (p *plain) Error() string { return p.text }
func (p *plain) Unwrap() error { return p.err }

// refused reports whether the condition of a conditional write did not hold. A
// key that is gone cannot have the version asked for.
func refused(err error) bool {
	return status(err) == http.StatusPreconditionFailed || errors.Is(explain(err, Config{}), ErrNotFound)
}

func status(err error) int {
	var r *awshttp.ResponseError
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

// explain turns an SDK error into one clause, with a hint where the reader can
// do something. A nil err stays nil.
func explain(err error, c Config) error {
	if err == nil {
		return nil
	}
	endpoint := c.Endpoint
	if endpoint == "" {
		endpoint = "its endpoint"
	}
	var api smithy.APIError
	var unknownCA x509.UnknownAuthorityError
	var unresolved *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return &plain{"canceled", err}
	case errors.As(err, &api):
		return answered(api, status(err), err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return hint.With(&plain{endpoint + " refuses connections", err},
			"start the S3 server, or correct spec.store.endpoint")
	case errors.As(err, &unresolved):
		return hint.With(&plain{fmt.Sprintf("no address for %s", unresolved.Name), err},
			"correct spec.store.endpoint, or set pathStyle: true for a store without host names for buckets")
	case errors.As(err, &unknownCA):
		return hint.With(&plain{endpoint + " has a certificate of an unknown authority", err},
			"name the CA's file in AWS_CA_BUNDLE")
	case strings.Contains(err.Error(), "get identity:"):
		return hint.With(&plain{"there are no AWS credentials", err},
			"set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return err
}

// answered explains what the store itself said.
func answered(api smithy.APIError, status int, err error) error {
	said := api.ErrorCode()
	if m := api.ErrorMessage(); m != "" {
		said += ": " + strings.TrimSuffix(m, ".")
	}
	p := &plain{said, err}
	switch api.ErrorCode() {
	case "NoSuchKey", "NotFound":
		return fmt.Errorf("%w (%w)", ErrNotFound, p)
	case "NoSuchBucket":
		return hint.With(&plain{"there is no such bucket", err}, "make the bucket, or correct spec.store.bucket")
	case "InvalidAccessKeyId", "XAdminUserNotFound", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken":
		return hint.With(&plain{"the store does not accept the credentials (" + api.ErrorCode() + ")", err},
			"look at AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	case "AccessDenied", "Forbidden":
		return hint.With(&plain{"the credentials do not allow it (" + api.ErrorCode() + ")", err},
			"they need to list, read, write and delete below the prefix")
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "MovedPermanently", "IllegalLocationConstraintException":
		return hint.With(p, "the bucket is in another region: correct spec.store.region")
	case "RequestTimeTooSkewed":
		return hint.With(p, "the clock of this machine is wrong")
	}
	if status == http.StatusNotFound {
		return fmt.Errorf("%w (%w)", ErrNotFound, p)
	}
	return p
}
