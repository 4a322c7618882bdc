// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// longest bounds a delay that is asked for.
const longest = time.Minute

// answer is what a request is answered with.
type answer struct {
	Pod      string              `json:"pod"`
	Method   string              `json:"method"`
	Scheme   string              `json:"scheme"`
	Host     string              `json:"host"`
	Path     string              `json:"path"`
	Query    string              `json:"query,omitempty"`
	Protocol string              `json:"protocol"`
	Remote   string              `json:"remote"`
	Headers  map[string][]string `json:"headers,omitempty"`
	Env      map[string]string   `json:"env,omitempty"`
}

// podName is given by the downward API, or is the host's name, which is the same.
func podName() string {
	if name := os.Getenv("POD_NAME"); name != "" {
		return name
	}
	name, _ := os.Hostname()
	return name
}

func (o options) handler(leaving *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if leaving.Load() {
			http.Error(w, "leaving", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("POST /validate", o.review(o.validate))
	mux.HandleFunc("POST /mutate", o.review(o.mutate))
	if o.password != "" {
		mux.HandleFunc("/private", o.private)
	}
	mux.HandleFunc("/", o.echo)
	return mux
}

// echo answers with the request. The query may ask for more: ?headers for all
// of its headers or ?header=NAME for some, ?env=NAME for a variable that is
// shown, ?status=CODE for another status, and ?delay=DURATION to be answered late.
func (o options) echo(w http.ResponseWriter, r *http.Request) {
	a := answer{
		Pod: podName(), Method: r.Method, Scheme: "http", Host: r.Host, Path: r.URL.Path, Query: r.URL.RawQuery,
		Protocol: r.Proto, Remote: r.RemoteAddr,
	}
	if r.TLS != nil {
		a.Scheme = "https"
	}
	asked := r.URL.Query()
	if asked.Has("headers") {
		a.Headers = r.Header
	}
	for _, name := range asked["header"] {
		if a.Headers == nil {
			a.Headers = map[string][]string{}
		}
		a.Headers[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
	}
	var err error
	if a.Env, err = o.variables(asked["env"]); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	status := http.StatusOK
	if text := asked.Get("status"); text != "" {
		code, err := strconv.Atoi(text)
		if err != nil || code < 200 || code > 599 {
			http.Error(w, "status is a number from 200 to 599", http.StatusBadRequest)
			return
		}
		status = code
	}
	if text := asked.Get("delay"); text != "" {
		delay, err := time.ParseDuration(text)
		if err != nil || delay < 0 || delay > longest {
			http.Error(w, "delay is a duration up to "+longest.String(), http.StatusBadRequest)
			return
		}
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Pod", strings.TrimSpace(a.Pod))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a)
}
