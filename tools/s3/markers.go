// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/versity/versitygw/backend/meta"
)

// markers makes a delete marker look absent to conditional writes, as S3 has
// it: the gateway takes any object with an etag for one that exists, also a
// deleted one, and then a create-only put over it fails for ever. Terraform's
// lock file on a versioned bucket could be taken only once.
type markers struct{ meta.XattrMeta }

func (m markers) RetrieveAttribute(f *os.File, bucket, object, name string) ([]byte, error) {
	if f == nil && object != "" && name == "etag" {
		if _, err := m.XattrMeta.RetrieveAttribute(nil, bucket, object, "delete-marker"); err == nil {
			return nil, meta.ErrNoSuchKey
		}
	}
	return m.XattrMeta.RetrieveAttribute(f, bucket, object, name)
}
