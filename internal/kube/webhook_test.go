// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"clusterup.dev/clusterup/internal/fieldpath"
	"clusterup.dev/clusterup/internal/testservers"
)

// testCA is the CA bundle of the TLS servers that tests start, as a manifest holds it.
func testCA(t *testing.T) string {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// parseHooks is parse with @CA for the bundle.
func parseHooks(t *testing.T, namespace, text string) []*unstructured.Unstructured {
	t.Helper()
	return parse(t, "NS", strings.NewReplacer("NS", namespace, "@CA", testCA(t)).Replace(text))
}

// webhookServer is where the API server finds webhooks, once it is started: /allow/x
// and /deny/x answer reviews, /convert sets the version that is asked for.
type webhookServer struct {
	address string
	mu      sync.Mutex
	asked   []string
}

func newWebhookServer(t *testing.T) *webhookServer {
	t.Helper()
	return &webhookServer{address: fmt.Sprintf("127.0.0.1:%d", testservers.Port(t))}
}

func (s *webhookServer) start(t *testing.T) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", s.address)
	if err != nil {
		t.Error(err)
		return
	}
	server := httptest.NewUnstartedServer(s)
	_ = server.Listener.Close()
	server.Listener = listener
	server.StartTLS()
	t.Cleanup(server.Close)
}

// seen gives what was asked since the last call, sorted.
func (s *webhookServer) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	slices.Sort(asked)
	return asked
}

func (s *webhookServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review map[string]any
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	path, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	denies := path == "deny"
	request, _ := review["request"].(map[string]any)
	response := map[string]any{"uid": request["uid"], "allowed": !denies}
	if denies {
		response["status"] = map[string]any{"message": "not today"}
	}
	if objects, ok := request["objects"].([]any); ok {
		for _, o := range objects {
			o.(map[string]any)["apiVersion"] = request["desiredAPIVersion"]
		}
		response["convertedObjects"], response["result"] = objects, map[string]any{"status": "Success"}
	} else {
		kind, _ := request["kind"].(map[string]any)
		s.mu.Lock()
		s.asked = append(s.asked, fmt.Sprintf("%s %s %s %s/%s dry=%v", name, request["operation"], kind["kind"], fieldpath.Text(request["namespace"]), fieldpath.Text(request["name"]), request["dryRun"]))
		s.mu.Unlock()
	}
	review["response"] = response
	delete(review, "request")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(review)
}

// webhooks gives a configuration; each of hooks is "name path rules-and-the-rest".
func (s *webhookServer) webhooks(kind, name string, hooks ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n---\napiVersion: admissionregistration.k8s.io/v1\nkind: %sWebhookConfiguration\nmetadata: {name: %s}\nwebhooks:\n", kind, name)
	for _, hook := range hooks {
		parts := strings.SplitN(hook, " ", 3)
		fmt.Fprintf(&b, "- {name: %s.clusterup.dev, admissionReviewVersions: [v1], sideEffects: None, timeoutSeconds: 5, clientConfig: {url: %q, caBundle: @CA}, %s}\n",
			parts[0], "https://"+s.address+"/"+parts[1]+"/"+parts[0], parts[2])
	}
	return b.String()
}
