// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

const (
	attempts     = 6                // of one request, the first one included
	mostBackoff  = 2 * time.Second  // between two attempts
	dialTimeout  = 5 * time.Second  // to reach the endpoint
	replyTimeout = 30 * time.Second // until the answer begins; objects are small
	wholeTimeout = 2 * time.Minute  // until the answer has been read
	connections  = 64               // kept open: many small requests run side by side
)

// sdk configures the SDK. A store with credentials of its own has nothing to do
// with the AWS account that the user's shell is set up for: of the environment
// only AWS_CA_BUNDLE counts there.
func (c Config) sdk(ctx context.Context) (aws.Config, error) {
	client := sharedClient()
	file := c.CAFile
	if file == "" && c.AccessKey != "" {
		file = os.Getenv("AWS_CA_BUNDLE")
	}
	if file != "" {
		roots, err := readRoots(file)
		if err != nil {
			return aws.Config{}, err
		}
		client = client.WithTransportOptions(func(t *http.Transport) {
			t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		})
	}
	region := c.Region
	if region == "" {
		region = defaultRegion
	}
	if c.AccessKey != "" {
		return aws.Config{
			Region:                     region,
			Credentials:                credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey.RevealString(), ""),
			HTTPClient:                 client,
			Retryer:                    retryer,
			RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
			ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		}, nil
	}
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client), // a plain http.Client would make a set AWS_CA_BUNDLE an error
		config.WithRetryer(retryer),
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenSupported),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenSupported),
		config.WithDefaultRegion(defaultRegion),
	}
	if c.Region != "" {
		options = append(options, config.WithRegion(c.Region))
	}
	return config.LoadDefaultConfig(ctx, options...)
}

const defaultRegion = "us-east-1"

func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("trusted certificates: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("trusted certificates: there is none in %s", file)
	}
	return roots, nil
}

// sharedClient is the one client of the process: whoever opens a store again and
// again, as a loop does, goes on with the connections that are open. Options make
// another one of it, and leave it as it is.
var sharedClient = sync.OnceValue(func() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithTimeout(wholeTimeout).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = connections, connections
			t.ResponseHeaderTimeout = replyTimeout
		})
})

// retryer also retries the answer that two conditional writes met: neither is
// refused by it, and one of them will find its condition broken next time. The
// attempts are bound for each request, not for all together: many requests that
// meet one short outage shall all outlive it.
func retryer() aws.Retryer {
	return retry.AddWithErrorCodes(retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff, o.RateLimiter = attempts, mostBackoff, ratelimit.None
	}), "ConditionalRequestConflict", "OperationAborted")
}
