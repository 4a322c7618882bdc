// SPDX-License-Identifier: Apache-2.0

// Command reference writes docs/reference: the command line and the schema of
// an environment file, both from the code.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"clusterup.dev/clusterup/internal/cli"
	"clusterup.dev/clusterup/internal/environment"
)

func main() {
	if err := write(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error: "+err.Error())
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

func write(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("want one folder to write to, got %d arguments", len(args))
	}
	if err := os.MkdirAll(args[0], 0o755); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	schema, err := environment.JSONSchema()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"commands.md":             cli.Reference(),
		"environment.schema.json": schema,
	} {
		if err := os.WriteFile(filepath.Join(args[0], name), content, 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}
