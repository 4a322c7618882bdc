// SPDX-License-Identifier: Apache-2.0

// Command vault is the server and the client. It is built without the tag
// minimal, which would leave out Consul as a storage.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
