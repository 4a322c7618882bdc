// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"encoding/xml"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
)

// servePods lets the limited user in, over TLS, at an address that pods reach.
// Requests go on to the loopback listener as they came: the signature covers
// the host that the client named. The address may come and go with the bridge
// that holds it.
func servePods(ctx context.Context, o options, user *limitedUser) (stop func(), err error) {
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{Control: freeBind}).Listen(ctx, "tcp4", o.pods)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler:           gate(user, forward(o.address)),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          log.New(os.Stderr, "pods: ", log.LstdFlags),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return func() { _ = server.Close() }, nil
}

// forward passes requests on without a change that a signature would notice.
func forward(address string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", address, r.In.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16},
		ErrorLog:  log.New(os.Stderr, "pods: ", log.LstdFlags),
	}
}

// gate refuses everybody but the limited user, root above all, and what it has no
// need of, before the store sees the request. That the request was signed with
// the user's key is for the store to find out.
func gate(user *limitedUser, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ids := keyIDs(r)
		for _, id := range ids {
			if user == nil || id != user.AccessKey {
				ids = nil
				break
			}
		}
		if len(ids) == 0 || !plain(r) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			_ = xml.NewEncoder(w).Encode(struct {
				XMLName xml.Name `xml:"Error"`
				Code    string
				Message string
			}{Code: "AccessDenied", Message: "only the limited user may come this way, for single objects and lists"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// keyIDs are the access keys that a request names, wherever it can name one:
// "AWS4-HMAC-SHA256 Credential=KEY/20260101/us-east-1/s3/aws4_request, ...".
func keyIDs(r *http.Request) []string {
	var ids []string
	for _, header := range r.Header.Values("Authorization") {
		_, rest, found := strings.Cut(header, "Credential=")
		if !found || strings.Contains(rest, "Credential=") {
			return nil
		}
		id, _, _ := strings.Cut(rest, "/")
		ids = append(ids, id)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil
	}
	for name, values := range query {
		switch {
		case strings.EqualFold(name, "X-Amz-Credential"):
			for _, v := range values {
				id, _, _ := strings.Cut(v, "/")
				ids = append(ids, id)
			}
		case strings.EqualFold(name, "AWSAccessKeyId"):
			ids = append(ids, values...)
		}
	}
	return ids
}

// plain reports whether a request reads, writes, deletes or lists what its path
// names. The store keeps files, and takes "backups/../tokens" for "tokens" after
// the policy has taken it for something below backups; keys in a body or in a
// header would get past this look at the path.
func plain(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
	default:
		return false
	}
	name := strings.TrimSuffix(r.URL.Path, "/")
	if r.Header.Get("X-Amz-Copy-Source") != "" || strings.ContainsAny(name, "%\\\x00") || path.Clean("/"+name) != "/"+strings.TrimPrefix(name, "/") {
		return false
	}
	return !strings.Contains(r.URL.Query().Get("prefix"), "..")
}
