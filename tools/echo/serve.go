// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

type options struct {
	http, https string
	cert, key   string
	grace       time.Duration
	drain       time.Duration
	deny        string
	mark        string
	show        names
	password    string // name of the variable that holds it
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("echo serve", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.http, "http", ":8080", "`address` of HTTP, empty for none")
	f.StringVar(&o.https, "https", "", "`address` of HTTPS, empty for none")
	f.StringVar(&o.cert, "cert", "", "`file` with the certificate chain, read again at every handshake")
	f.StringVar(&o.key, "key", "", "`file` with its key")
	f.DurationVar(&o.grace, "grace", 0, "serve this long after SIGTERM, not ready any more")
	f.DurationVar(&o.drain, "drain", 10*time.Second, "then wait this long for requests under way")
	f.StringVar(&o.deny, "deny", "clusterup.dev/deny", "`annotation` of objects that the webhook denies")
	f.StringVar(&o.mark, "mark", "clusterup.dev/seen-by", "`annotation` that the mutating webhook adds, with the pod's name")
	f.Var(&o.show, "show", "`name` of a variable that ?env=NAME tells; may be given several times")
	f.StringVar(&o.password, "password-env", "", "`name` of the variable with the password of /private, empty for none")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("serve takes only flags, not %q", f.Arg(0))
	case o.http == "" && o.https == "":
		return o, errors.New("nothing to serve: give --http or --https")
	case o.https != "" && (o.cert == "" || o.key == ""):
		return o, errors.New("--https needs --cert and --key")
	}
	return o, nil
}

// serve answers until ctx ends. Then it says that it is not ready and serves on
// for the grace, so that whoever routes to it has time to stop; only then it
// takes no more connections and waits for the requests it has.
func (o options) serve(ctx context.Context, stderr io.Writer) error {
	var leaving atomic.Bool
	server := &http.Server{Handler: o.handler(&leaving), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 2)
	if o.http != "" {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.http)
		if err != nil {
			return err
		}
		fmt.Fprintf(stderr, "http on %s\n", l.Addr())
		go func() { failed <- server.Serve(l) }()
	}
	if o.https != "" {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(o.cert, o.key)
			return &pair, err
		}}
		if _, err := tls.LoadX509KeyPair(o.cert, o.key); err != nil {
			return err
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.https)
		if err != nil {
			return err
		}
		fmt.Fprintf(stderr, "https on %s\n", l.Addr())
		go func() { failed <- server.ServeTLS(l, "", "") }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	leaving.Store(true)
	select {
	case err := <-failed:
		return err
	case <-time.After(o.grace):
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.drain)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return fmt.Errorf("requests were still under way after %s: %w", o.drain, err)
	}
	return nil
}
