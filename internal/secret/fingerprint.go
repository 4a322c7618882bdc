// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"strings"

	"golang.org/x/crypto/ssh"
)

// Fingerprint is how people tell public keys apart: what ssh-keygen -l shows of an
// SSH key, what gpg shows of a PGP key, and of an age key, which is short, the key
// itself. Text that is no key stays as it is.
func Fingerprint(public string) string {
	if fingerprint, ok := strings.CutPrefix(public, pgpPrefix); ok {
		return "PGP " + fingerprint
	}
	if !strings.HasPrefix(public, "ssh-") {
		return public
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		return public
	}
	return ssh.FingerprintSHA256(key)
}
