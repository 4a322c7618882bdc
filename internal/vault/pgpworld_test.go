// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/secret"
)

// withPGP is a world whose holders have PGP keys: bob two shares and carol one, two
// of which open Vault. Alice runs.
func (g *ground) withPGP(t *testing.T, replicas int) *world {
	t.Helper()
	return g.newWorld(t, replicas).withPGP(t)
}

func (w *world) withPGP(t *testing.T) *world {
	t.Helper()
	w.PGP, w.Holders, w.Threshold = true, []HolderRef{{"bob", 2}, {"carol", 1}}, 2
	for name, config := range map[string]*packet.Config{
		"bob":   {Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048},
		"carol": {Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519},
		"dave":  {Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519},
	} {
		w.makePGP(t, name, config)
	}
	return w
}

func (w *world) makePGP(t *testing.T, name string, config *packet.Config) {
	t.Helper()
	entity, err := openpgp.NewEntity(name, "", name+"@example.com", config)
	if err != nil {
		t.Fatal(err)
	}
	var public, private bytes.Buffer
	if err := entity.SerializePrivate(&private, nil); err != nil {
		t.Fatal(err)
	}
	if err := entity.Serialize(&public); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(w.Dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{"public.gpg": public.Bytes(), "private.gpg": private.Bytes()} {
		if err := os.WriteFile(filepath.Join(w.Dir, name, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) pgpKey(name string) (secret.PGPKey, error) {
	data, err := os.ReadFile(filepath.Join(w.Dir, name, "public.gpg"))
	if err != nil {
		return secret.PGPKey{}, err
	}
	return secret.ParsePGP(data)
}

// decrypt is what `gpg -d` does for a holder.
func (w *world) decrypt(t *testing.T, name string, sealed []byte) []byte {
	t.Helper()
	file, err := os.Open(filepath.Join(w.Dir, name, "private.gpg"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	ring, err := openpgp.ReadKeyRing(file)
	if err != nil {
		t.Fatal(err)
	}
	message, err := openpgp.ReadMessage(bytes.NewReader(sealed), ring, nil, nil)
	if err != nil {
		t.Fatalf("opening a share of %s: %v", name, err)
	}
	text, err := io.ReadAll(message.UnverifiedBody)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// openedPGP are the shares of the set that opens Vault, opened by their holders, by
// "bob-1".
func (w *world) openedPGP(t *testing.T) map[string][]byte {
	t.Helper()
	j := w.journal(t)
	opened := map[string][]byte{}
	for _, key := range w.bucket().keys(t) {
		name, ok := strings.CutPrefix(key, "keys/"+j.Shareholding().Nonce+"/")
		name, sealed := strings.CutSuffix(name, ".gpg")
		if !ok || !sealed {
			continue
		}
		data, _, err := w.bucket().Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		opened[name] = w.decrypt(t, name[:strings.LastIndexByte(name, '-')], data)
	}
	return opened
}

func (w *world) journal(t *testing.T) custody.Journal {
	t.Helper()
	escrow, err := w.open(t).cfg.Escrow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j, err := escrow.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// handOf holds these shares, as their holders bring them.
func (w *world) handOf(t *testing.T, v *Vault, shares ...[]byte) *custody.Hand {
	t.Helper()
	h := mustHand(t, v)
	for _, share := range shares {
		if _, added, err := h.Add(t.Context(), bytes.Clone(share)); err != nil || !added {
			t.Fatalf("%v, %v", added, err)
		}
	}
	return h
}

// runTo runs the steps that come before the named one.
func (w *world) runTo(t *testing.T, name string) {
	t.Helper()
	v := w.open(t)
	for _, step := range append(v.Steps(), v.DealStep()) {
		if step.Name() == name {
			return
		}
		plan, err := step.Plan(t.Context())
		if err == nil && !plan.Empty() {
			err = step.Apply(t.Context(), plan)
		}
		if err != nil {
			t.Fatalf("%s: %v", step.Name(), err)
		}
	}
}
