// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// Main carries out the hidden commands `clusterup local ...`, by which
// Terraform's provisioners and the nodes themselves call back. stdout shows
// progress; nothing of it is secret.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New("clusterup local: disk-create, disk-destroy, boot, shell or image")
	}
	switch name, rest := args[0], args[1:]; name {
	case "node-init":
		return nodeInit(ctx, rest)
	case "shell":
		return shell(rest)
	case "image":
		return writeSelf(rest, stdout)
	case "disk-create", "disk-destroy", "boot":
		var c Config
		var generation string
		f := flag.NewFlagSet("clusterup local "+name, flag.ContinueOnError)
		f.SetOutput(stderr)
		f.StringVar(&c.Environment, "environment", "", "`name` of the environment")
		f.StringVar(&c.StateRoot, "state", DefaultStateRoot, "`folder` of all environments")
		f.StringVar(&c.Servers, "servers", "", "`folder` with bin/ and the image archives")
		f.IntVar(&c.Nodes, "nodes", DefaultNodes, "`number` of nodes")
		f.StringVar(&c.Subnet, "subnet", "", "an IPv4 /16; the first free one when empty")
		f.StringVar(&generation, "generation", "", "`mark` of this boot, told apart from those before")
		if err := f.Parse(rest); err != nil {
			return err
		}
		if err := c.check(); err != nil {
			return err
		}
		switch name {
		case "disk-create":
			return createDisk(ctx, c)
		case "disk-destroy":
			return Remove(ctx, c)
		default:
			return boot(ctx, c, generation, stdout)
		}
	default:
		return fmt.Errorf("clusterup local: unknown command %q", name)
	}
}

// createDisk makes the state folder, the reservation and the unpacked images;
// boot would do the same, but later.
func createDisk(ctx context.Context, c Config) error {
	if _, err := Reserve(ctx, c); err != nil {
		return err
	}
	_, err := unpackedImages(ctx, c)
	return err
}

// shell replaces this process by a shell, or by another program, inside a node:
// clusterup local shell ENV NODE [PROGRAM ARGS...].
func shell(args []string) error {
	if len(args) < 2 {
		return errors.New("clusterup local shell ENV NODE [PROGRAM ARGS...]: NODE is a number")
	}
	c := Config{Environment: args[0]}.withDefaults()
	index, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("node %q is not a number", args[1])
	}
	if err := c.check(); err != nil {
		return err
	}
	pid, err := livingNode(c.layout().node(index))
	if err != nil {
		return err
	}
	if pid == 0 {
		return fmt.Errorf("node %s does not run", NodeName(c.Environment, index))
	}
	program := args[2:]
	if len(program) == 0 {
		program = []string{"/bin/bash"}
	}
	cmd := inNode(context.Background(), pid, program...)
	if cmd.Err != nil {
		return cmd.Err
	}
	return syscall.Exec(cmd.Path, cmd.Args, append(cmd.Env, "LANG="+os.Getenv("LANG")))
}
