// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/secret"
)

// TestRunWithToken proves that a command has the token and the way to Vault in its
// environment, that this process has it not, that the CA's file goes with it, and
// that its exit code is an error.
func TestRunWithToken(t *testing.T) {
	root := app.RootToken{Token: secret.NewString("hvs.canary-token"), Address: "https://127.0.0.1:1", CA: []byte("PEM"), ServerName: "vault.vault.svc"}
	var out, said bytes.Buffer
	err := runWith(t.Context(), Streams{Out: &out, Err: &said}, root,
		[]string{"sh", "-c", `echo "$VAULT_TOKEN $VAULT_ADDR $VAULT_TLS_SERVER_NAME $VAULT_CACERT $(cat "$VAULT_CACERT")"; exit 7`})
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 7 {
		t.Errorf("%v", err)
	}
	fields := strings.Fields(out.String())
	if len(fields) != 5 || fields[0] != "hvs.canary-token" || fields[1] != root.Address || fields[2] != root.ServerName || fields[4] != "PEM" {
		t.Fatalf("the command had %q", fields)
	}
	if _, err := os.Stat(fields[3]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", fields[3], err)
	}
	if strings.Contains(said.String()+strings.Join(os.Environ(), " "), "canary") {
		t.Error("the token is shown, or in this process's environment")
	}
}

// TestRunWithTokenStopped proves that a command ends with the run.
func TestRunWithTokenStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, started, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = in.Close(), started.Close() }()
	var said bytes.Buffer
	err = runWith(ctx, Streams{In: in, Out: writer(func() { cancel() }), Err: &said}, app.RootToken{}, []string{"sh", "-c", "echo running; read line"})
	if err == nil || ctx.Err() == nil {
		t.Errorf("%v", err)
	}
}

// writer calls a function at the first write.
type writer func()

func (w writer) Write(p []byte) (int, error) { w(); return len(p), nil }
