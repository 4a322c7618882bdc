// SPDX-License-Identifier: Apache-2.0

// Command volume makes and removes the folder behind a persistent volume. It
// is the setupCommand and teardownCommand of local-path-provisioner, which
// runs it in a pod on the volume's node; being one static program it needs no
// shell in the image.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	path := flag.String("p", "", "`path` of the volume; defaults to VOL_DIR")
	action := flag.String("a", "", "create or delete")
	flag.String("s", "", "size in bytes; not enforced")
	flag.String("m", "", "volume mode; only Filesystem is made")
	flag.Parse()
	if *path == "" {
		*path = os.Getenv("VOL_DIR")
	}
	if err := run(*action, *path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
