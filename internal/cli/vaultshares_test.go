// SPDX-License-Identifier: Apache-2.0

//go:build linux

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/converge"
	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// shelf is a bucket of a map.
type shelf struct {
	mu   sync.Mutex
	data map[string][]byte
}

func (s *shelf) Get(_ context.Context, key string) ([]byte, store.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.data[key]
	if !ok {
		return nil, "", store.ErrNotFound
	}
	return slices.Clone(data), "1", nil
}

func (s *shelf) PutNew(_ context.Context, key string, data []byte) (store.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data[key] = slices.Clone(data)
	return "1", nil
}

func (s *shelf) List(_ context.Context, prefix string) (all []store.Entry, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.data {
		if strings.HasPrefix(key, prefix) {
			all = append(all, store.Entry{Key: key})
		}
	}
	return all, nil
}

func (s *shelf) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.data, key)
	return nil
}

// shareOf is the share that a holder has in these tests.
func shareOf(holder string) []byte { return fmt.Appendf(nil, "key-share-canary-of-%s", holder) }

// handOf is a hand of an init with a share for each of three holders, two of which
// are needed; alice runs, and opens hers unless she has no key with her.
func handOf(t *testing.T, withKey bool) *app.Hand {
	t.Helper()
	id, err := secret.CreateIdentity(filepath.Join(t.TempDir(), "alice", "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := secret.CreateIdentity(filepath.Join(t.TempDir(), "other", "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	alice := custody.Holder{Name: "alice", Recipient: id.Recipient(), Shares: 1}
	holders := []custody.Holder{alice, {Name: "bob", Recipient: other.Recipient(), Shares: 1}, {Name: "carol", Recipient: other.Recipient(), Shares: 1}}
	e := &custody.Escrow{Bucket: &shelf{data: map[string][]byte{}}, Runner: alice, Identities: []secret.Identity{id}}
	j, err := e.Intend(t.Context(), custody.Journal{}, holders, 2)
	if err != nil {
		t.Fatal(err)
	}
	answer := &custody.Answer{Root: secret.NewString("root")}
	for _, h := range holders {
		answer.Shares = append(answer.Shares, secret.NewValue(shareOf(h.Name)))
	}
	sealed, err := e.SealAnswer(j, holders, answer)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Keep(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	if j, err = e.Deal(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if !withKey {
		e.Identities = nil
	}
	h, err := e.Collect(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// terminal gives a pair of a pseudo-terminal: what a person types into and sees, and
// what the program has.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// TestSharesAreTypedUnseen proves that shares are asked for until there are enough,
// that a wrong one is asked for again, and that no share appears on the terminal or
// in what is said.
func TestSharesAreTypedUnseen(t *testing.T) {
	person, program := terminal(t)
	hand := handOf(t, false)
	seen := make(chan string, 1)
	said, out := io.Pipe()
	go func() { // types an answer to each question
		lines := []string{"nonsense", base64.StdEncoding.EncodeToString(shareOf("bob")), hex.EncodeToString(shareOf("bob")), hex.EncodeToString(shareOf("carol"))}
		var all strings.Builder
		reader := bufio.NewReader(said)
		for {
			r, _, err := reader.ReadRune()
			if err != nil {
				break
			}
			all.WriteRune(r)
			if strings.HasSuffix(all.String(), "no more): ") && len(lines) > 0 {
				awaitNoEcho(t, program)
				fmt.Fprintln(person, lines[0])
				lines = lines[1:]
			}
		}
		seen <- all.String()
	}()
	if err := askForShares(t.Context(), Streams{In: program, Err: out}, hand); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	text := <-seen
	if err := hand.Enough(); err != nil || len(hand.Shares()) != 2 {
		t.Errorf("%d shares, %v", len(hand.Shares()), err)
	}
	for _, want := range []string{"error: this is no key share", "took the share of bob; 1 more", "the share of bob was there already", "took the share of carol; these are enough"} {
		if !strings.Contains(text, want) {
			t.Errorf("not said: %s\n%s", want, text)
		}
	}
	fmt.Fprint(program, "the end") // so that there is something to read
	echoed := make([]byte, 4096)
	n, err := person.Read(echoed)
	if err != nil {
		t.Fatal(err)
	}
	for _, holder := range []string{"bob", "carol"} {
		for _, form := range []string{string(shareOf(holder)), hex.EncodeToString(shareOf(holder)), base64.StdEncoding.EncodeToString(shareOf(holder))} {
			if strings.Contains(text, form[:20]) || bytes.Contains(echoed[:n], []byte(form[:20])) {
				t.Errorf("a share of %s is shown", holder)
			}
		}
	}
}

// TestAskingEndsWithTheRun proves that a run that is stopped while a holder is asked
// leaves the terminal with its echo on.
func TestAskingEndsWithTheRun(t *testing.T) {
	_, program := terminal(t)
	hand := handOf(t, true)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	said, out := io.Pipe()
	go func() {
		reader := bufio.NewReader(said)
		for asked := ""; !strings.HasSuffix(asked, "no more):"); {
			asked, _ = reader.ReadString(':') // ends when the pipe does
		}
		awaitNoEcho(t, program)
		cancel(why)
		_, _ = io.Copy(io.Discard, reader)
	}()
	if err := askForShares(ctx, Streams{In: program, Err: out}, hand); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	if state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS); err != nil || state.Lflag&unix.ECHO == 0 {
		t.Errorf("the terminal is left without echo: %v", err)
	}
}

// TestShareFiles proves what files are taken, and that they are needed to be shares.
func TestShareFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		path string
		want string
	}{
		"opened":    {file("bob", []byte(base64.StdEncoding.EncodeToString(shareOf("bob")))), ""},
		"absent":    {filepath.Join(dir, "nobody"), "reading a key share: "},
		"too large": {file("large", make([]byte, maxShareFile+1)), "too large"},
		"empty":     {file("empty", nil), "no key share"},
		"another":   {file("eve", []byte(hex.EncodeToString(shareOf("eve")))), "none of the key shares"},
		"no stdin":  {"-", "stdin holds no key share"},
	} {
		t.Run(name, func(t *testing.T) {
			hand := handOf(t, true)
			var said strings.Builder
			err := addFile(t.Context(), Streams{Err: &said}, hand, "", test.path)
			if test.want == "" && (err != nil || hand.Missing() > 0) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q; %d missing", err, test.want, hand.Missing())
			}
			if strings.Contains(said.String(), "canary") || err != nil && strings.Contains(err.Error(), hex.EncodeToString([]byte("key"))) {
				t.Errorf("said %s, %v", said.String(), err)
			}
		})
	}
}

// awaitNoEcho waits until the program has switched the echo of its terminal off.
func awaitNoEcho(t *testing.T, program *os.File) {
	t.Helper()
	err := converge.Until(t.Context(), "the echo to be off", 10*time.Second, func(context.Context) (bool, string, error) {
		state, err := unix.IoctlGetTermios(int(program.Fd()), unix.TCGETS)
		return err == nil && state.Lflag&unix.ECHO == 0, "", err
	})
	if err != nil {
		t.Error(err)
	}
}
