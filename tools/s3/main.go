// SPDX-License-Identifier: Apache-2.0

// Command s3 keeps one S3 store on this machine for a local environment:
// plain files below one folder, served with real signatures, checksums,
// versions and conditional writes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\nhint: s3 --help shows every flag\n", err)
		os.Exit(2)
	}
	// The gateway prints notices to stdout; nothing here is a product.
	os.Stdout = os.Stderr
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
