// SPDX-License-Identifier: Apache-2.0

//go:build linux

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// handOfPGP is an empty hand of the shares of bob and carol, who have PGP keys; two of
// them are needed.
func handOfPGP(t *testing.T) *app.Hand {
	t.Helper()
	id, err := secret.CreateIdentity(filepath.Join(t.TempDir(), "alice", "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	alice := custody.Holder{Name: "alice", Recipient: id.Recipient(), Shares: 1, Throwaway: true}
	e := &custody.Escrow{Bucket: &shelf{data: map[string][]byte{}}, Runner: alice, Identities: []secret.Identity{id}}
	init, err := e.Intend(t.Context(), custody.Journal{}, []custody.Holder{alice}, 1)
	if err != nil {
		t.Fatal(err)
	}
	var holders []custody.Holder
	sealed := map[string][][]byte{}
	for _, name := range []string{"bob", "carol"} {
		entity, err := openpgp.NewEntity(name, "", "", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519})
		if err != nil {
			t.Fatal(err)
		}
		var public, message bytes.Buffer
		if err := entity.Serialize(&public); err != nil {
			t.Fatal(err)
		}
		key, err := secret.ParsePGP(public.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		w, err := openpgp.Encrypt(&message, []*openpgp.Entity{entity}, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		holders = append(holders, custody.Holder{Name: name, PGP: key, Shares: 1})
		sealed[key.Fingerprint()] = [][]byte{message.Bytes()}
	}
	set, err := e.IntendRekey(t.Context(), init, holders, 2)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := e.SealedByVault(set, sealed)
	if err == nil {
		err = e.Keep(t.Context(), kept)
	}
	if err == nil {
		_, err = e.Settle(t.Context(), set)
	}
	if err != nil {
		t.Fatal(err)
	}
	h, err := e.Collect(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestWhoseAShareIs proves that holders with PGP keys are named by an option or when asked
// for, and that nobody has to.
func TestWhoseAShareIs(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "share.txt")
	if err := os.WriteFile(file, []byte(hex.EncodeToString(shareOf("bob"))+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"bob=" + file:           "",
		"eve=" + file:           "eve holds no key share",
		file:                    "--share-of does not name a holder and a file",
		"=" + file:              "--share-of does not name a holder and a file",
		"bob=":                  "--share-of does not name a holder and a file",
		"bob=" + dir + "/other": "no such file",
	} {
		var said strings.Builder
		begin := func(context.Context) (*app.Hand, error) { return handOfPGP(t), nil }
		hand, err := (&flags{shareOf: []string{text}}).gather(t.Context(), Streams{Err: &said}, begin, nil)
		switch {
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", text, err, want)
		case want == "" && (err != nil || hand.Missing() != 1 || hand.Unnamed() || !strings.Contains(said.String(), "took the share of bob; 1 more")):
			t.Errorf("%s: %v, %s", text, err, said.String())
		case strings.HasPrefix(want, "--share-of") && hint.Of(err) == "":
			t.Errorf("%s: no hint", text)
		}
	}
}

func TestWhoseAShareIsIsAskedFor(t *testing.T) {
	person, program := terminal(t)
	hand := handOfPGP(t)
	seen := make(chan string, 1)
	said, out := io.Pipe()
	go func() { // types an answer to each question
		shares := []string{hex.EncodeToString(shareOf("bob")), hex.EncodeToString(shareOf("carol"))}
		names := []string{"eve", "bob"}
		var all strings.Builder
		reader := bufio.NewReader(said)
		for {
			r, _, err := reader.ReadRune()
			if err != nil {
				break
			}
			all.WriteRune(r)
			switch {
			case strings.HasSuffix(all.String(), "no more): ") && len(shares) > 0:
				awaitNoEcho(t, program)
				fmt.Fprintln(person, shares[0])
				shares = shares[1:]
			case strings.HasSuffix(all.String(), "not confirmed) ") && len(names) > 0:
				fmt.Fprintln(person, names[0])
				names = names[1:]
			}
		}
		seen <- all.String()
	}()
	if err := askForShares(t.Context(), Streams{In: program, Err: out}, hand); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	text := <-seen
	for _, want := range []string{"whose is it: bob, carol? ", "error: eve is none of them", "took the share of bob; 1 more", "these are enough"} {
		if !strings.Contains(text, want) {
			t.Errorf("not said: %s\n%s", want, text)
		}
	}
	if strings.Count(text, "whose is it") != 2 { // the second share can only be carol's
		t.Errorf("it is asked too often:\n%s", text)
	}
}
