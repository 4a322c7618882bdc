// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/streaming/pkg/httpstream"
)

// podConn is a connection into a pod. Streams know no deadlines; the pipe in front
// of them does.
type podConn struct {
	net.Conn // our end of the pipe
	address  podAddr

	mu  sync.Mutex
	err error // what the other side said when it failed
}

// lastWords is how long, once one direction has ended, the rest may still take: what
// the pod sends after our last byte, or the reason why it sends no more.
const lastWords = time.Second

func newPodConn(address string, tunnel httpstream.Connection, data, failed httpstream.Stream) *podConn {
	near, far := net.Pipe()
	c := &podConn{Conn: near, address: podAddr(address)}
	reason, received, sent := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(reason)
		if text, _ := io.ReadAll(failed); len(text) > 0 {
			c.fail(string(text))
			_ = far.Close()
		}
	}()
	go func() {
		defer close(received)
		_, _ = io.Copy(far, data)
	}()
	go func() {
		defer close(sent)
		_, _ = io.Copy(data, far)
		_ = data.Close()
	}()
	go func() {
		select {
		case <-received: // the pod has ended; the reason, if there is one, follows
			within(lastWords, reason)
		case <-sent: // we have closed, or the tunnel broke
			within(lastWords, received)
		case <-tunnel.CloseChan():
		}
		_ = far.Close()
		_ = tunnel.Close()
	}()
	return c
}

func within(limit time.Duration, done <-chan struct{}) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

func (c *podConn) fail(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = fmt.Errorf("pod %s: %s", c.address, strings.TrimSpace(text))
	if strings.Contains(text, "connection refused") {
		c.err = fmt.Errorf("pod %s: %w", c.address, syscall.ECONNREFUSED)
	}
}

// reason gives the cause of an end of the pipe, where there is a better one.
func (c *podConn) reason(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	return err
}

func (c *podConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		err = c.reason(err)
	}
	return n, err
}

func (c *podConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		err = c.reason(err)
	}
	return n, err
}

func (c *podConn) RemoteAddr() net.Addr { return c.address }

// podAddr is "namespace/pod:port".
type podAddr string

func (podAddr) Network() string  { return "pod" }
func (a podAddr) String() string { return string(a) }
