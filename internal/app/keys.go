// SPDX-License-Identifier: Apache-2.0

package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"clusterup.dev/clusterup/internal/custody"
	"clusterup.dev/clusterup/internal/hint"
	"clusterup.dev/clusterup/internal/secret"
)

// openKeys reads the runner's own identity and everybody's public keys. In a
// development environment whose operator is the runner, an identity is made at the
// usual place when there is none and the session may write. From here on secrets are in memory, so
// core dumps are off.
func (s *Session) openKeys() error {
	if err := custody.NoDumps(); err != nil {
		return err
	}
	path, err := s.identityPath()
	if err != nil {
		return err
	}
	operator, self := s.env.Self()
	s.identities, err = secret.LoadIdentities(path)
	if errors.Is(err, fs.ErrNotExist) && self && s.mode == changing && s.options.Identity == "" {
		var made secret.Identity
		if made, err = secret.CreateIdentity(path); err == nil {
			s.identities = []secret.Identity{made}
			s.say("made an identity for %s: %s; keep it, it opens this environment's tokens and key shares", operator.Name, path)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && (s.mode == changing || s.options.Identity != ""):
		return hint.With(fmt.Errorf("there is no identity %s to open this environment's tokens with", path),
			"name your age or SSH key with --identity; its public half has to be one of spec.operators")
	case errors.Is(err, fs.ErrNotExist) && self:
		return s.openHolders() // looking at what was never made needs no key, nor does removing
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	var own secret.Recipient
	if len(s.identities) > 0 {
		own = s.identities[0].Recipient()
	}
	if s.keys, err = s.env.OperatorKeys(own); err != nil {
		return err
	}
	return s.openHolders()
}

// openHolders reads the keys of others who are there. The runner's own stays the first.
func (s *Session) openHolders() error {
	for _, path := range s.options.Holders {
		more, err := secret.LoadIdentities(path)
		if err != nil {
			return err
		}
		s.identities = append(s.identities, more...)
	}
	return nil
}

func (s *Session) identityPath() (string, error) {
	if s.options.Identity != "" {
		return s.options.Identity, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", hint.With(fmt.Errorf("finding your identity: %w", err), "name the file with --identity")
	}
	return filepath.Join(home, ".config", "clusterup", "identity.txt"), nil
}

// everybody is who tokens and releases are sealed to: all operators, in the
// order of their names.
func (s *Session) everybody() []secret.Recipient {
	all := make([]secret.Recipient, 0, len(s.keys))
	for _, name := range sortedKeys(s.keys) {
		all = append(all, s.keys[name])
	}
	return all
}

// runner is whoever runs, as a holder of what only they may open: the operator
// whose public key is that of the runner's identity.
func (s *Session) runner() (custody.Holder, error) {
	for _, name := range sortedKeys(s.keys) {
		if slices.ContainsFunc(s.identities, func(i secret.Identity) bool { return i.Recipient().Equal(s.keys[name]) }) {
			return custody.Holder{Name: name, Recipient: s.keys[name]}, nil
		}
	}
	return custody.Holder{}, hint.With(errors.New("your identity is none of the operators'"), "add its public half to spec.operators, or name another one with --identity")
}
