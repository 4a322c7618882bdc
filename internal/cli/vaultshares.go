// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"clusterup.dev/clusterup/internal/app"
	"clusterup.dev/clusterup/internal/hint"
)

// shareFlags are where key shares come from. None is ever an argument: other users
// of a machine see those.
func shareFlags(c *cobra.Command, f *flags, files *[]string) {
	c.Flags().StringArrayVar(&f.shareOf, "share-of", nil, "`HOLDER=FILE`: the same, and whose it is, which confirms it for a holder with a PGP key (can be given more than once)")
	c.Flags().StringArrayVar(files, "share-file", nil, "`file` with a key share, sealed or opened; - reads an opened one from stdin (can be given more than once)")
	c.Flags().StringArrayVar(&f.holders, "with-identity", nil, "`file` with the key of another holder who is there (can be given more than once)")
}

// maxShareFile is more than any share has, sealed or not.
const maxShareFile = 64 << 10

// gather goes on collecting key shares where begin began: what the identities open, the files, and, on a
// terminal and while there are too few, what holders type. The caller wipes the hand.
func (f *flags) gather(ctx context.Context, s Streams, begin func(context.Context) (*app.Hand, error), files []string) (*app.Hand, error) {
	hand, err := begin(ctx)
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		if err := addFile(ctx, s, hand, "", path); err != nil {
			hand.Wipe()
			return nil, err
		}
	}
	for _, text := range f.shareOf {
		holder, path, ok := strings.Cut(text, "=")
		if !ok || holder == "" || path == "" {
			hand.Wipe()
			return nil, hint.With(errors.New("--share-of does not name a holder and a file"), "give it like --share-of alice=share.txt, or alice=- for stdin")
		}
		if err := addFile(ctx, s, hand, holder, path); err != nil {
			hand.Wipe()
			return nil, err
		}
	}
	if s.In != nil && term.IsTerminal(int(s.In.Fd())) {
		if err := askForShares(ctx, s, hand); err != nil {
			hand.Wipe()
			return nil, err
		}
	}
	return hand, nil
}

func addFile(ctx context.Context, s Streams, hand *app.Hand, holder, path string) error {
	data, err := readShare(s, path)
	if err != nil {
		return err
	}
	add := hand.Add
	if holder != "" {
		add = func(ctx context.Context, data []byte) (string, bool, error) { return hand.Named(ctx, holder, data) }
	}
	whose, added, err := add(ctx, data)
	if err != nil {
		return fmt.Errorf("key share in %s: %w", path, err)
	}
	sayAdded(s, whose, added, hand.Missing())
	return nil
}

// readShare reads a file into one buffer that the caller wipes.
func readShare(s Streams, path string) ([]byte, error) {
	in := s.In
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("reading a key share: %w", err)
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	if in == nil || path == "-" && term.IsTerminal(int(in.Fd())) {
		return nil, hint.With(errors.New("stdin holds no key share"), "leave out --share-file - to type it")
	}
	buf := make([]byte, maxShareFile)
	n, err := io.ReadFull(in, buf)
	switch {
	case err == nil:
		clear(buf)
		return nil, fmt.Errorf("reading a key share: %s is too large to be one", path)
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		clear(buf)
		return nil, fmt.Errorf("reading a key share: %w", err)
	}
	return buf[:n], nil
}

func sayAdded(s Streams, whose string, added bool, missing int) {
	switch {
	case !added:
		fmt.Fprintf(s.Err, "  the share of %s was there already\n", whose)
	case missing > 0:
		fmt.Fprintf(s.Err, "  took the share of %s; %d more\n", whose, missing)
	default:
		fmt.Fprintf(s.Err, "  took the share of %s; these are enough\n", whose)
	}
}

// askForShares asks, without echo, until there are enough or nothing is typed. A
// share that is refused is asked for again.
func askForShares(ctx context.Context, s Streams, hand *app.Hand) error {
	for hand.Missing() > 0 {
		fmt.Fprintf(s.Err, "key share, in base64 or hex, not shown (%d more; Enter for no more): ", hand.Missing())
		text, err := readHidden(ctx, s.In)
		fmt.Fprintln(s.Err)
		if err != nil {
			return err
		}
		if len(text) == 0 {
			return nil
		}
		whose, added, err := hand.Add(ctx, text)
		if err != nil {
			report(s.Err, err)
			continue
		}
		if added {
			if whose, err = askWhose(s, hand, whose); err != nil {
				return err
			}
		}
		sayAdded(s, whose, added, hand.Missing())
	}
	return nil
}

// askWhose asks whose share was typed where that cannot be told, and it may be
// several people's. Who does not say so is not confirmed by it.
func askWhose(s Streams, hand *app.Hand, whose string) (string, error) {
	names := hand.Whose()
	if len(names) < 2 || !hand.Unnamed() {
		return whose, nil
	}
	for {
		name, err := ask(s, fmt.Sprintf("whose is it: %s? (Enter: not said, and not confirmed) ", strings.Join(names, ", ")), "--share-of")
		if err != nil || name == "" {
			return whose, err
		}
		if err := hand.Name(name); err != nil {
			report(s.Err, err)
			continue
		}
		return name, nil
	}
}

// readHidden reads a line from a terminal without echo. When ctx ends first, the
// terminal is put back as it was; the read is left behind, and the program ends.
func readHidden(ctx context.Context, in *os.File) ([]byte, error) {
	fd := int(in.Fd())
	was, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("asking for a key share: %w", err)
	}
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		if errors.Is(l.err, io.EOF) {
			return nil, nil
		}
		if l.err != nil {
			return nil, fmt.Errorf("reading a key share: %w", l.err)
		}
		return l.text, nil
	case <-ctx.Done():
		_ = term.Restore(fd, was) // nothing else can be done about it
		return nil, context.Cause(ctx)
	}
}
