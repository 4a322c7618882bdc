// SPDX-License-Identifier: Apache-2.0

// Command builder builds the servers that the local environment runs, from
// the pinned modules beside it, packs them into image archives and keeps all
// of it in a cache outside the checkout. What is there already is never made
// again, and finding that out runs no compiler.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var o options
	flag.StringVar(&o.tools, "tools", "", "`folder` of the server modules (default: tools in this folder or one above)")
	flag.StringVar(&o.link, "link", "", "symlink at `path` that is pointed at the finished set")
	flag.Func("only", "comma-separated `names` to build; the set still holds whatever else is cached", o.setOnly)
	flag.BoolVar(&o.list, "list", false, "list what can be built and whether it is cached, then stop")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, o, os.Stdout, os.Stderr)
	interrupted := ctx.Err() != nil
	stop()
	if err == nil {
		return
	}
	if interrupted {
		err = withHint(fmt.Errorf("interrupted: %w", err), "run it again; what was finished is kept")
	}
	fmt.Fprintln(os.Stderr, err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintln(os.Stderr, "hint:", hint)
	}
	os.Exit(1)
}
