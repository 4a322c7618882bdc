// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
)

// ensureBucket makes the bucket before the first request is served, so that
// a healthy server always has it. A bucket is a folder with its owner in an
// attribute; a kill between the two leaves an empty folder that can be
// neither used nor made again, so that one is removed first.
func ensureBucket(ctx context.Context, store *posix.Posix, name, owner string) error {
	_, err := meta.XattrMeta{}.RetrieveAttribute(nil, name, "", "acl")
	switch {
	case err == nil:
		return nil
	case errors.Is(err, meta.ErrNoSuchKey):
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("remove unfinished bucket: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	acl, err := json.Marshal(auth.ACL{Owner: owner, Grantees: []auth.Grantee{
		{Permission: auth.PermissionFullControl, Access: owner, Type: types.TypeCanonicalUser},
	}})
	if err != nil {
		return err
	}
	return store.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket:                    &name,
		ObjectOwnership:           types.ObjectOwnershipBucketOwnerEnforced,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{},
	}, acl)
}
