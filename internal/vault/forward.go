// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// forward listens on a free port of this machine and passes every connection on to
// a pod, as it is: TLS goes through it untouched. closer ends all of them.
func (v *Vault) forward(pod string) (address string, closer func(), err error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listening for connections to Vault: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // it was closed
			}
			group.Go(func() { v.pass(ctx, conn, pod) })
		}
	})
	closer = func() {
		cancel()
		_ = listener.Close()
		group.Wait()
	}
	return "https://" + listener.Addr().String(), closer, nil
}

// pass copies both ways until one side ends or ctx does.
func (v *Vault) pass(ctx context.Context, here net.Conn, pod string) {
	defer func() { _ = here.Close() }()
	there, err := v.cfg.Pods.Dial(ctx, pod)
	if err != nil {
		return // the caller sees a connection that closes
	}
	end := sync.OnceFunc(func() {
		_ = here.Close()
		_ = there.Close()
	})
	stop := context.AfterFunc(ctx, end)
	defer stop()
	var group sync.WaitGroup
	for _, way := range [][2]net.Conn{{here, there}, {there, here}} {
		group.Go(func() {
			defer end()
			_, _ = io.Copy(way[0], way[1]) // ends with either side
		})
	}
	group.Wait()
}
