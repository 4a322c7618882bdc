// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// HMAC is a digest of data that says nothing about data to whoever lacks the
// key: HMAC-SHA256 in hex. Where one piece ends and the next begins counts.
func HMAC(key Value, data ...[]byte) string {
	return hex.EncodeToString(mac(key.Reveal(), data...))
}

func mac(key []byte, data ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, d := range data {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(d)))
		h.Write(size[:])
		h.Write(d)
	}
	return h.Sum(nil)
}
