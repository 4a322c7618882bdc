// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	portforwardv1 "k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/websocket"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// dialTimeout bounds a dial whose ctx sets no earlier end; pingPeriod keeps an idle
// connection alive through load balancers.
const (
	dialTimeout = 15 * time.Second
	pingPeriod  = 10 * time.Second
)

// Dial connects to a port inside a pod, through the API server's port-forward; no
// local port is opened. Each connection has its own tunnel, so that a slow reader
// holds up nobody else and Close leaves nothing behind. That the port refuses, or
// that the pod has gone, shows at the first read. ctx bounds the dial alone.
func (c *Cluster) Dial(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
	where := fmt.Sprintf("%s/%s:%d", namespace, pod, port)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	tunnel, err := c.tunnel(ctx, namespace, pod)
	if err != nil {
		return nil, fmt.Errorf("dialling pod %s: %w", where, ended(ctx, err))
	}
	// The streams know no ctx: the end of it closes what they run on.
	stop := context.AfterFunc(ctx, func() { _ = tunnel.Close() })
	data, failed, err := openStreams(tunnel, port)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = tunnel.Close()
		return nil, fmt.Errorf("dialling pod %s: %w", where, ended(ctx, err))
	}
	return newPodConn(where, tunnel, data, failed), nil
}

// ended gives the end of ctx where that is what err comes from: the websocket turns
// a deadline into one of the socket, and the streams turn it into a closed tunnel.
func ended(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &timeout) && timeout.Timeout():
		return context.DeadlineExceeded
	}
	return err
}

// tunnel opens SPDY over a websocket to the port-forward of the pod.
func (c *Cluster) tunnel(ctx context.Context, namespace, pod string) (httpstream.Connection, error) {
	transport, holder, err := websocket.RoundTripperFor(c.rest)
	if err != nil {
		return nil, err
	}
	url := c.typed.CoreV1().RESTClient().Get().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url.String(), nil)
	if err != nil {
		return nil, err
	}
	conn, err := websocket.Negotiate(transport, holder, req, portforwardv1.WebsocketsSPDYTunnelingPortForwardV1)
	if err != nil {
		return nil, err
	}
	return spdy.NewClientConnectionWithPings(portforward.NewTunnelingConnectionWithLogger(logr.Discard(), conn), pingPeriod)
}

// openStreams opens the pair that stands for one connection: an error stream, which
// we only read, and the data.
func openStreams(tunnel httpstream.Connection, port int) (data, failed httpstream.Stream, err error) {
	headers := http.Header{}
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	headers.Set(corev1.PortHeader, strconv.Itoa(port))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	if failed, err = tunnel.CreateStream(headers); err != nil {
		return nil, nil, fmt.Errorf("opening the error stream: %w", err)
	}
	_ = failed.Close() // our half: we write nothing
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	if data, err = tunnel.CreateStream(headers); err != nil {
		return nil, nil, fmt.Errorf("opening the data stream: %w", err)
	}
	return data, failed, nil
}
