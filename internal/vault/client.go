// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"

	"clusterup.dev/clusterup/internal/secret"
)

// client speaks to one Vault process over HTTPS, through hashicorp/vault/api. It
// retries nothing and follows no redirect: the steps know what is safe to repeat.
// Paths and bodies are generic, and bodies are bytes that the caller can wipe,
// which the typed helpers of that package, with their strings, do not allow.
type client struct {
	http *http.Client
	api  *api.Client
	auto bool // this Vault opens itself: its key shares are recovery keys

	joining atomic.Int64 // when it took the shares to join the others on raft, in Unix seconds; see joins
	joined  atomic.Bool  // those shares were seen to be the right ones: the others let it in
}

// quick bounds an ordinary request; init takes its own deadline.
const quick = 10 * time.Second

func newClient(ca []byte, dial func(ctx context.Context) (net.Conn, error)) (*client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the CA of Vault holds no certificate")
	}
	h := &http.Client{
		Transport: &http.Transport{
			DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: ServerName},
			TLSHandshakeTimeout: quick,
			ForceAttemptHTTP2:   true, // many requests at once over one dialled connection
			HTTP2:               &http.HTTP2Config{SendPingTimeout: quick, PingTimeout: quick / 2},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c, err := api.NewClient(&api.Config{Address: "https://" + ServerName, HttpClient: h, DisableRedirects: true})
	if err != nil {
		return nil, fmt.Errorf("preparing Vault's client: %w", err)
	}
	c.ClearToken() // nothing that a shell says of another Vault counts here
	c.ClearNamespace()
	return &client{http: h, api: c}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// apiError is an answer of Vault's that is not a success.
type apiError struct {
	Method, Path string
	Status       int
	Messages     []string
}

func (e *apiError) Error() string {
	s := fmt.Sprintf("%s %s: vault answered %d", e.Method, e.Path, e.Status)
	if len(e.Messages) > 0 {
		s += ": " + strings.Join(strings.Fields(strings.Join(e.Messages, "; ")), " ")
	}
	return s
}

// isStatus reports whether err is an answer with this status.
func isStatus(err error, status int) bool {
	var e *apiError
	return errors.As(err, &e) && e.Status == status
}

// request is one call. Body is what is sent, nil for none; raw bytes go as they
// are, so that the caller can wipe them.
type request struct {
	method, path string
	token        secret.Value
	body         any
	accept       []int // statuses besides 2xx whose body is decoded into out
	timeout      time.Duration
}

// do sends r and decodes the answer into out, unless that is nil. The bytes of
// the answer are wiped.
func (c *client) do(ctx context.Context, r request, out any) error {
	return c.send(ctx, r, func(resp *http.Response) error { return r.read(resp, out) })
}

// stream sends r and hands the body of the answer to take as it comes.
func (c *client) stream(ctx context.Context, r request, take func(io.Reader) error) error {
	return c.send(ctx, r, func(resp *http.Response) error {
		if !r.accepts(resp.StatusCode) {
			return r.read(resp, nil)
		}
		return take(resp.Body)
	})
}

func (c *client) send(ctx context.Context, r request, take func(*http.Response) error) error {
	if r.timeout == 0 {
		r.timeout = quick
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	body, err := encode(r.body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	path, query, _ := strings.Cut(r.path, "?")
	req := c.api.NewRequest(r.method, "/v1/"+path)
	if req.Params, err = url.ParseQuery(query); err != nil {
		return fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	req.BodyBytes, req.ClientToken = body, r.token.RevealString()
	resp, err := c.api.RawRequestWithContext(ctx, req) //nolint:staticcheck // deprecated for the typed helpers, see client
	if resp == nil || resp.Response == nil {
		return fmt.Errorf("%s %s: %w", r.method, r.path, bare(err))
	}
	defer func() { _ = resp.Body.Close() }()
	return take(resp.Response)
}

func encode(body any) ([]byte, error) {
	if raw, ok := body.([]byte); ok || body == nil {
		return raw, nil
	}
	return json.Marshal(body)
}

// maxAnswer is above anything that is asked for here.
const maxAnswer = 1 << 20

func (r request) read(resp *http.Response, out any) error {
	size := int64(maxAnswer)
	if resp.ContentLength >= 0 {
		size = min(size, resp.ContentLength+1)
	}
	buf := make([]byte, size) // one buffer: growing would leave copies behind
	n, err := io.ReadFull(resp.Body, buf)
	data := buf[:n]
	defer clear(data)
	switch {
	case err == nil:
		return fmt.Errorf("%s %s: the answer is too long", r.method, r.path)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	if !r.accepts(resp.StatusCode) {
		var e struct {
			Errors []string `json:"errors"`
		}
		_ = json.Unmarshal(data, &e) // an answer of something else has no messages
		return &apiError{Method: r.method, Path: r.path, Status: resp.StatusCode, Messages: e.Errors}
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not understood", r.method, r.path) // err could quote it
	}
	return nil
}

func (r request) accepts(status int) bool {
	return status >= 200 && status < 300 || slices.Contains(r.accept, status)
}

// bare drops the URL that net/http repeats.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
