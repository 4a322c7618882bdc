// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// Status is what every CoreDNS answers when it is asked for the probe.
type Status struct {
	Servers   int
	Answering int
	Silent    []string      // why the others do not: "coredns-1: NXDOMAIN"
	Block     bool          // it is in the Corefile
	Age       time.Duration // since clusterup wrote the Corefile last; 0 if it never did
}

// Whole reports whether every CoreDNS answers.
func (s Status) Whole() bool { return s.Servers > 0 && s.Answering == s.Servers }

// Loading reports whether the others may just not have read the Corefile yet. A
// kubelet takes up to 90 s to bring it into a pod, and CoreDNS looks every 30 s
// and up to 15 s more.
func (s Status) Loading() bool { return s.Block && s.Age > 0 && s.Age < longestLoad }

const longestLoad = 150 * time.Second

// Status asks all of them, side by side.
func (d *DNS) Status(ctx context.Context) (Status, error) {
	file, err := d.Cluster.Corefile(ctx)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Status{}, err
	}
	s := Status{Block: strings.Contains(file.Text, firstMark(d.Domain))}
	if !file.Written.IsZero() {
		s.Age = max(time.Since(file.Written), time.Nanosecond) // another machine's clock may be ahead
	}
	pods, err := d.Cluster.Servers(ctx)
	if err != nil {
		return Status{}, err
	}
	s.Servers = len(pods)
	errs := make([]error, len(pods))
	var wait sync.WaitGroup
	for i, pod := range pods {
		wait.Go(func() { errs[i] = d.ask(ctx, pod) })
	}
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			s.Silent = append(s.Silent, fmt.Sprintf("%s: %v", pods[i], err))
			continue
		}
		s.Answering++
	}
	return s, nil
}
