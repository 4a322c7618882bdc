// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
	"clusterup.dev/clusterup/internal/testservers"
)

// through stands between client and server. Before a request, spoil may answer
// it in the server's place; after, it may swallow the answer.
func through(t *testing.T, s *testservers.S3Server, spoil http.HandlerFunc, swallow func(*http.Request) bool) store.Config {
	t.Helper()
	target, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	lost := errors.New("lost answer")
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is part of what was signed
		},
		ModifyResponse: func(r *http.Response) error {
			if swallow != nil && swallow(r.Request) {
				return lost
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answered := &recorder{ResponseWriter: w}
		if spoil != nil {
			spoil(answered, r)
		}
		if !answered.wrote {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	c := config(s)
	c.Endpoint = front.URL
	return c
}

type recorder struct {
	http.ResponseWriter
	wrote bool
}

func (r *recorder) WriteHeader(code int) {
	r.wrote = true
	r.ResponseWriter.WriteHeader(code)
}

// A write that was carried out but whose answer was lost is a success, and it
// is told from a write of the same bytes by somebody else.
func TestALostAnswerIsReadBack(t *testing.T) {
	t.Parallel()
	s := testservers.S3(t)
	var puts atomic.Int32
	b := open(t, through(t, s, nil, func(r *http.Request) bool {
		return r.Method == http.MethodPut && puts.Add(1)%2 == 1 // every first attempt
	}))
	v1, err := b.PutNew(t.Context(), "a.json", []byte("one"))
	if err != nil {
		t.Fatalf("PutNew: %v", err)
	}
	v2, err := b.PutIf(t.Context(), "a.json", []byte("two"), v1)
	if err != nil {
		t.Fatalf("PutIf: %v", err)
	}
	if data, v, err := b.Get(t.Context(), "a.json"); err != nil || string(data) != "two" || v != v2 {
		t.Errorf("Get = %q %q %v", data, v, err)
	}
	if _, err := b.PutNew(t.Context(), "a.json", []byte("other")); !errors.Is(err, store.ErrExists) {
		t.Errorf("PutNew of other bytes: %v", err)
	}
	if _, err := b.PutIf(t.Context(), "a.json", []byte("other"), v1); !errors.Is(err, store.ErrChanged) {
		t.Errorf("PutIf of an old version: %v", err)
	}
}

// 409 means that two conditional writes met and this one was not carried out:
// it is sent again, and not for ever.
func TestAConflictIsTriedAgain(t *testing.T) {
	t.Parallel()
	const conflict = `<Error><Code>ConditionalRequestConflict</Code><Message>busy</Message></Error>`
	s := testservers.S3(t)
	var puts, conflicts atomic.Int32
	b := open(t, through(t, s, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && puts.Add(1) <= conflicts.Load() {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(conflict))
		}
	}, nil))
	conflicts.Store(2)
	if _, err := b.PutNew(t.Context(), "a.json", []byte("one")); err != nil {
		t.Errorf("after two conflicts: %v", err)
	}
	puts.Store(0)
	conflicts.Store(1000)
	if _, err := b.PutNew(t.Context(), "b.json", []byte("one")); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("with conflicts for ever: %v", err)
	}
	if n := puts.Load(); n < 3 || n > 10 {
		t.Errorf("tried %d times", n)
	}
}

func TestContentThatBreaksOffIsReadAgain(t *testing.T) {
	t.Parallel()
	s := testservers.S3(t)
	var gets atomic.Int32
	b := open(t, through(t, s, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".json") && gets.Add(1) == 1 {
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write([]byte("half"))
			panic(http.ErrAbortHandler)
		}
	}, nil))
	if err := b.Put(t.Context(), "a.json", []byte("whole")); err != nil {
		t.Fatal(err)
	}
	if data, _, err := b.Get(t.Context(), "a.json"); err != nil || string(data) != "whole" {
		t.Errorf("Get = %q, %v", data, err)
	}
}

// An outage shorter than the time to live does not lose the lock; a longer one
// does, before anybody else could have it.
func TestTheLockOutlivesAShortOutage(t *testing.T) {
	t.Parallel()
	s := testservers.S3(t)
	var down atomic.Bool
	refused, written := make(chan struct{}), make(chan struct{})
	b := open(t, through(t, s, func(_ http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			select {
			case refused <- struct{}{}:
			default:
			}
			panic(http.ErrAbortHandler)
		}
	}, func(r *http.Request) bool {
		if r.Method == http.MethodPut {
			select {
			case written <- struct{}{}:
			default:
			}
		}
		return false
	}))
	const ttl = 2 * time.Second
	l := acquire(t, b, store.LockOptions{TTL: ttl})
	down.Store(true)
	hear(t, refused) // a renewal
	down.Store(false)
	for range 5 { // what a time to live has, and one more
		hear(t, written)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Errorf("after a short outage: %v", err)
	}
	down.Store(true)
	start := time.Now()
	<-l.Context().Done()
	if after := time.Since(start); after > ttl+ttl/10 {
		t.Errorf("lost only after %s", after)
	}
	down.Store(false)
}

// hear waits for a request.
func hear(t *testing.T, requests <-chan struct{}) {
	t.Helper()
	select {
	case <-requests:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was asked of the server")
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := testservers.S3(t)
	for name, tc := range map[string]struct {
		change     func(*store.Config)
		want, help string
	}{
		"wrong secret":  {func(c *store.Config) { c.SecretKey = secret.NewString("wrong") }, "does not accept the credentials", "AWS_"},
		"unknown key":   {func(c *store.Config) { c.AccessKey = "AKNOBODY" }, "does not accept the credentials", "AWS_"},
		"no bucket":     {func(c *store.Config) { c.Bucket = "nowhere" }, "no such bucket", "spec.store.bucket"},
		"refused":       {func(c *store.Config) { c.Endpoint = "http://127.0.0.1:1" }, "http://127.0.0.1:1 refuses connections", "start the S3 server"},
		"other region":  {func(c *store.Config) { c.Region = "eu-west-1" }, "AuthorizationHeaderMalformed", "spec.store.region"},
		"no such CA":    {func(c *store.Config) { c.CAFile = "/nowhere.pem" }, "/nowhere.pem", ""},
		"prefix too up": {func(c *store.Config) { c.Prefix = "../x" }, `"../x" is not a key`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config(s)
			tc.change(&c)
			_, err := store.Open(t.Context(), c)
			if err == nil {
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q lacks %q or has several lines", err, tc.want)
			}
			if !strings.Contains(hint.Of(err), tc.help) {
				t.Errorf("hint %q lacks %q", hint.Of(err), tc.help)
			}
			if strings.Contains(err.Error(), s.SecretKey.RevealString()) {
				t.Error("the error holds the secret")
			}
		})
	}
}
