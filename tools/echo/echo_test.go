// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A request is answered with itself and the pod, with headers only as asked.
func TestEcho(t *testing.T) {
	t.Setenv("POD_NAME", "web-0")
	server := httptest.NewServer(options{}.handler(&atomic.Bool{}))
	defer server.Close()
	got, code := get(t, server.URL+"/a/b?status=418&header=user-agent")
	var a answer
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Fatal(err)
	}
	if code != 418 || a.Pod != "web-0" || a.Path != "/a/b" || len(a.Headers) != 1 || len(a.Headers["User-Agent"]) != 1 {
		t.Errorf("%d %s", code, got)
	}
	for _, wrong := range []string{"/?status=9", "/?delay=1h", "/?delay=x"} {
		if _, code := get(t, server.URL+wrong); code != http.StatusBadRequest {
			t.Errorf("%s: %d", wrong, code)
		}
	}
}

// A variable is told only if it is to be shown, and the password opens /private
// and is told to nobody.
func TestConfigured(t *testing.T) {
	t.Setenv("COLOUR", "green")
	t.Setenv("PASSWORD", "correct horse")
	o, err := parse([]string{"--show", "COLOUR", "--show", "SIZE", "--password-env", "PASSWORD"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(o.handler(&atomic.Bool{}))
	defer server.Close()
	got, code := get(t, server.URL+"/?env=COLOUR&env=SIZE")
	var a answer
	if err := json.Unmarshal([]byte(got), &a); err != nil || code != http.StatusOK || a.Env["COLOUR"] != "green" || a.Env["SIZE"] != "" {
		t.Errorf("%d %s (%v)", code, got, err)
	}
	if got, code := get(t, server.URL+"/?env=PASSWORD"); code != http.StatusForbidden || strings.Contains(got, "correct horse") {
		t.Errorf("a variable that is not shown: %d %s", code, got)
	}
	with := func(password string) string {
		return strings.Replace(server.URL, "http://", "http://anybody:"+url.QueryEscape(password)+"@", 1) + "/private"
	}
	for where, want := range map[string]int{
		server.URL + "/private": http.StatusUnauthorized, with(""): http.StatusUnauthorized,
		with("wrong"): http.StatusUnauthorized, strings.Replace(with("correct horse"), "+", "%20", 1): http.StatusOK,
	} {
		if got, code := get(t, where); code != want {
			t.Errorf("%s: %d %s", where, code, got)
		}
	}
	t.Setenv("PASSWORD", "") // no password is not the empty password
	if _, code := get(t, with("")); code != http.StatusUnauthorized {
		t.Errorf("without a password: %d", code)
	}
}

// After the signal it is not ready but serves through the grace, and a request
// that is under way at its end is still answered.
func TestLeaving(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	says, out := io.Pipe()
	o, err := parse([]string{"--http", "127.0.0.1:0", "--grace", "400ms"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- o.serve(ctx, out) }()
	line, err := bufio.NewReader(says).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + strings.TrimSpace(strings.TrimPrefix(line, "http on "))
	if _, code := get(t, base+"/readyz"); code != http.StatusOK {
		t.Errorf("readyz before: %d", code)
	}
	slow := make(chan int, 1)
	go func() {
		_, code := get(t, base+"/?delay=1s")
		slow <- code
	}()
	cancel()
	for {
		if _, code := get(t, base+"/readyz"); code == http.StatusServiceUnavailable {
			break
		}
	}
	if _, code := get(t, base+"/"); code != http.StatusOK {
		t.Errorf("within the grace: %d", code)
	}
	if code := <-slow; code != http.StatusOK {
		t.Errorf("the slow request: %d", code)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// The webhook denies what is annotated, with its reason, and the mutating one
// marks everything else, whether it has annotations or not.
func TestAdmission(t *testing.T) {
	t.Setenv("POD_NAME", "hook-0")
	o, err := parse(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(o.handler(&atomic.Bool{}))
	defer server.Close()
	for name, c := range map[string]struct {
		path, annotations string
		allowed           bool
		says              string
	}{
		"allowed":       {"/validate", `{"a":"b"}`, true, ""},
		"none":          {"/validate", `null`, true, ""},
		"denied":        {"/validate", `{"clusterup.dev/deny":""}`, false, "annotated"},
		"denied, why":   {"/validate", `{"clusterup.dev/deny":"too big"}`, false, "too big"},
		"marked":        {"/mutate", `{"a":"b"}`, true, `[{"op":"add","path":"/metadata/annotations/clusterup.dev~1seen-by","value":"hook-0"}]`},
		"first mark":    {"/mutate", `null`, true, `{"op":"add","path":"/metadata/annotations","value":{}}`},
		"denied at all": {"/mutate", `{"clusterup.dev/deny":"no"}`, false, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u1","operation":"CREATE","object":{"metadata":{"annotations":` + c.annotations + `}}}}`
			got, err := http.Post(server.URL+c.path, "application/json", strings.NewReader(body)) //nolint:noctx // a test's own server
			if err != nil {
				t.Fatal(err)
			}
			defer got.Body.Close()
			var r review
			if err := json.NewDecoder(got.Body).Decode(&r); err != nil {
				t.Fatal(err)
			}
			said := string(r.Response.Patch)
			if r.Response.Status != nil {
				said += r.Response.Status.Message
			}
			if r.Response.UID != "u1" || r.Response.Allowed != c.allowed || !strings.Contains(said, c.says) {
				t.Errorf("%+v, said %s", r.Response, said)
			}
		})
	}
}

// once prints and ends; everything else that is not serve is refused.
func TestArguments(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"once", "all", "done"}, &out, io.Discard); err != nil || out.String() != "all done\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	for _, wrong := range [][]string{nil, {"ones"}, {"serve", "x"}, {"serve", "--http", ""}, {"serve", "--https", ":0"}, {"serve", "--show", "A=b"}} {
		if err := run(t.Context(), wrong, io.Discard, io.Discard); err == nil {
			t.Errorf("accepted %q", wrong)
		}
	}
}

func get(t *testing.T, url string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Error(err)
		return "", 0
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return "", 0
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Error(err)
	}
	return string(text), got.StatusCode
}
