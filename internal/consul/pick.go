// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/hint"
)

const (
	headStart   = 200 * time.Millisecond // of one server before the next is tried too
	lookTimeout = 5 * time.Second        // for a server to say anything at all
	callTimeout = 30 * time.Second       // a server holds calls for 7 s while there is no leader
)

// errUnreachable says that no server could be asked, or none answered.
var errUnreachable = errors.New("no Consul server answers")

// errOtherCA says that a server shows a certificate that our CA did not issue.
// Waiting does not mend it: a server reads its certificate when it starts.
var errOtherCA = errors.New("its certificate is of another CA than " + caToken)

// pick is the ordinal of a server that answers. While it has none it asks one
// after the other, without waiting for a slow one.
func (s *session) pick(ctx context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good >= 0 {
		return s.good, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	type answer struct {
		i   int
		err error
	}
	answers := make(chan answer, len(s.servers))
	next, pending := 0, 0
	ask := func() {
		i := next
		next, pending = next+1, pending+1
		go func() {
			_, err := leader(ctx, s.servers[i])
			answers <- answer{i, err}
		}()
	}
	ask()
	var errs []error
	for pending > 0 {
		select {
		case a := <-answers:
			pending--
			if a.err == nil {
				s.good = a.i
				return a.i, nil
			}
			var stranger x509.UnknownAuthorityError
			switch {
			case errors.Is(a.err, converge.ErrNotYet):
				return 0, a.err
			case errors.As(a.err, &stranger):
				return 0, hint.With(fmt.Errorf("%s: %w", s.cluster.server(a.i), errOtherCA),
					"it was started for another environment, or before its tokens were made anew: delete what is left of it in namespace %s, or name the bucket that goes with it", s.cluster.cfg.Namespace)
			}
			errs = append(errs, fmt.Errorf("%s: %w", s.cluster.server(a.i), brief(a.err)))
			if next < len(s.servers) {
				ask()
			}
		case <-time.After(headStart):
			if next < len(s.servers) {
				ask()
			}
		}
	}
	return 0, fmt.Errorf("%w: %w", errUnreachable, joined(errs))
}

// leader is the address of the leader as this server knows it; "" for none. It
// is answered without a token and without asking other servers.
func leader(ctx context.Context, server *api.Client) (string, error) {
	return server.Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx))
}

// brief leaves out the method and the URL, which the reader did not choose.
func brief(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}

// joined is several errors on one line.
type joined []error

func (j joined) Unwrap() []error { return j }

func (j joined) Error() string {
	texts := make([]string, len(j))
	for i, err := range j {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}
