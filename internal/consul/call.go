// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"
)

// errInTheMiddle says that a server which answered before gave no answer.
var errInTheMiddle = errors.New("stopped answering")

// read calls f, which changes nothing, with a server that answers, and with
// another when that one stops in the middle. Which one does not matter: each
// passes on to the leader what only the leader can do.
func (s *session) read(ctx context.Context, f func(context.Context, *api.Client) error) error {
	for left := len(s.servers); ; left-- {
		err := s.write(ctx, f)
		if left <= 1 || ctx.Err() != nil || !errors.Is(err, errInTheMiddle) {
			return err
		}
	}
}

// write calls f once with a server that answers. When the answer is lost it is
// unknown whether the server acted.
func (s *session) write(ctx context.Context, f func(context.Context, *api.Client) error) error {
	return s.call(ctx, callTimeout, f)
}

// call is write with a limit of its own.
func (s *session) call(ctx context.Context, limit time.Duration, f func(context.Context, *api.Client) error) error {
	i, err := s.pick(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = f(ctx, s.servers[i])
	if err != nil && !answered(err) {
		s.forget(i)
		return fmt.Errorf("%s %w: %w", s.cluster.server(i), errInTheMiddle, brief(err))
	}
	return err
}

func (s *session) forget(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good == i {
		s.good = -1
	}
}
