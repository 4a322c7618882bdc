// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	for name, args := range map[string]string{
		"needed":           "--data /d",
		"not an absolute":  "--data d --credentials /c",
		"unexpected":       "--data /d --credentials /c extra",
		"--address":        "--data /d --credentials /c --address 9000",
		"--pods-address":   "--data /d --credentials /c --pods-address 9000",
		"needs --pods":     "--data /d --credentials /c --pods-address 127.0.0.1:1",
		"flag provided":    "--secret hunter2",
		"not an absolute ": "--data /d --credentials /c --versions v",
	} {
		_, err := parse(strings.Fields(args))
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(name)) {
			t.Errorf("parse %s: %v", args, err)
		}
	}
}

func TestCredentialsMustBePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.json")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	const good = `{"accessKey":"a","secretKey":"s"}`
	write(good, 0o600)
	if c, err := readCredentials(path); err != nil || c.keyPair != (keyPair{"a", "s"}) || c.Limited != nil {
		t.Errorf("read %v, %v", c, err)
	}
	write(good, 0o640)
	if _, err := readCredentials(path); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("a file that others can read: %v", err)
	}
	write(`{"accessKey":"a"}`, 0o600)
	if _, err := readCredentials(path); err == nil {
		t.Error("half a credential was accepted")
	}
	for _, limited := range []string{
		`{"accessKey":"b"}`, `{"accessKey":"a","secretKey":"t","prefix":"x/"}`,
		`{"accessKey":"b","secretKey":"t"}`, `{"accessKey":"b","secretKey":"t","prefix":"x"}`, `{"accessKey":"b","secretKey":"t","prefix":"*/"}`,
	} {
		write(`{"accessKey":"a","secretKey":"s","limited":`+limited+`}`, 0o600)
		if _, err := readCredentials(path); err == nil {
			t.Errorf("a limited user %s was accepted", limited)
		}
	}
}
