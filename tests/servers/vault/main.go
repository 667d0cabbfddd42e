// Vault, of the parts that `-tags minimal` leaves in. Its own main package cannot be installed from
// the module proxy, because its go.mod replaces modules by folders beside it.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() {
	os.Exit(command.Run(os.Args[1:]))
}
