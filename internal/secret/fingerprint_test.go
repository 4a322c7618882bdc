// SPDX-License-Identifier: Apache-2.0

package secret

import "testing"

// TestFingerprint proves that an SSH key has the fingerprint that ssh-keygen shows.
func TestFingerprint(t *testing.T) {
	for public, want := range map[string]string{
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA5G40OKbhNP5gAm6r9EMpyumpf2n88y6aN2LaPmRt2V": "SHA256:UmK3lT1LRv9Jfbw7WO1UsAta9ZmDzKSMFgr6madPNjM",
		"age1k9rv7kkh684knj3q80wmhmc2fy8az5zsr8yag24zw2m7skzchv0squeygv":                   "age1k9rv7kkh684knj3q80wmhmc2fy8az5zsr8yag24zw2m7skzchv0squeygv",
		"ssh-ed25519 !": "ssh-ed25519 !",
		"":              "",
	} {
		if got := Fingerprint(public); got != want {
			t.Errorf("%s: %s", public, got)
		}
	}
}
