// SPDX-License-Identifier: Apache-2.0

package consul

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/singleflight"

	"clusterup.dev/clusterup/internal/secret"
)

// session is connections to the servers under one CA and one management token.
type session struct {
	cluster *Cluster
	ca      string
	token   secret.Value
	tokens  Tokens
	web     *http.Transport
	servers []*api.Client // by ordinal

	rings singleflight.Group // questions about the gossip keyring

	mu   sync.Mutex
	good int // the server that answered last; -1 for none
}

// session is made anew when the tokens it rests on have changed.
func (c *Cluster) session(ctx context.Context) (*session, error) {
	tokens, err := c.cfg.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	ca, ok := tokens.Public(caToken)
	if !ok {
		return nil, fmt.Errorf("there is no token %s", caToken)
	}
	management, ok := tokens.Secret(c.cfg.Token)
	if !ok {
		return nil, fmt.Errorf("there is no token %s", c.cfg.Token)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.current; s != nil {
		if s.ca == ca && string(s.token.Reveal()) == string(management.Reveal()) {
			s.tokens = tokens
			return s, nil
		}
		s.close()
	}
	s := &session{cluster: c, ca: ca, token: management, tokens: tokens, good: -1}
	if err := s.connect(); err != nil {
		return nil, err
	}
	c.current = s
	return s, nil
}

func (s *session) close() { s.web.CloseIdleConnections() }

// connect prepares a client for each server; nothing is dialled before its first
// request. The host of a request is the pod's name, and HTTP/2 carries calls
// made side by side on one connection.
func (s *session) connect() error {
	cfg := s.cluster.cfg
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(s.ca)) {
		return fmt.Errorf("%s holds no certificate", caToken)
	}
	s.web = &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			pod, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			number, err := strconv.Atoi(port)
			if err != nil {
				return nil, err
			}
			return cfg.Dialer.Dial(ctx, cfg.Namespace, pod, number)
		},
		TLSClientConfig: &tls.Config{
			RootCAs:    roots,
			ServerName: "server." + cfg.Datacenter + ".consul",
			MinVersion: tls.VersionTLS12,
		},
		TLSHandshakeTimeout: lookTimeout,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
	}
	client := &http.Client{Transport: plain{s.web}}
	for i := range cfg.Servers {
		server, err := api.NewClient(&api.Config{
			Scheme:     "https",
			Address:    net.JoinHostPort(s.cluster.server(i), strconv.Itoa(cfg.Port)),
			HttpClient: client,
			Transport:  s.web,
			Token:      s.token.RevealString(), // set, so that CONSUL_HTTP_TOKEN is not read
		})
		if err != nil {
			return fmt.Errorf("prepare a client for %s: %w", s.cluster.server(i), err)
		}
		s.servers = append(s.servers, server)
	}
	return nil
}

// plain takes out what api.Client adds from the environment of whoever runs
// this: these servers have neither namespaces nor partitions.
type plain struct{ http.RoundTripper }

func (p plain) RoundTrip(req *http.Request) (*http.Response, error) {
	query := req.URL.Query()
	query.Del("ns")
	query.Del("partition")
	req.URL.RawQuery = query.Encode() // api makes a request for each call; it is ours
	return p.RoundTripper.RoundTrip(req)
}
