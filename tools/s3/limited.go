// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
)

// accounts are the users of the credentials file. They live in memory alone and
// cannot be changed by a request.
type accounts struct {
	auth.IAMService // what the gateway has for root alone
	limited         *limitedUser
}

func newAccounts(u users) accounts {
	root := auth.Account{Access: u.AccessKey, Secret: u.SecretKey, Role: auth.RoleAdmin}
	return accounts{auth.NewIAMServiceSingle(root), u.Limited}
}

// GetUserAccount knows root and the limited user.
func (a accounts) GetUserAccount(access string) (auth.Account, error) {
	if a.limited != nil && access == a.limited.AccessKey {
		return auth.Account{Access: access, Secret: a.limited.SecretKey, Role: auth.RoleUser}, nil
	}
	return a.IAMService.GetUserAccount(access)
}

// ResolveAccounts gives those that nobody has.
func (a accounts) ResolveAccounts(ids []string) ([]string, error) {
	var unknown []string
	for _, id := range ids {
		if _, err := a.GetUserAccount(id); err != nil {
			unknown = append(unknown, id)
		}
	}
	return unknown, nil
}

// ListUserAccounts is refused, as all administration is.
func (accounts) ListUserAccounts() ([]auth.Account, error) {
	return nil, s3err.GetAPIError(s3err.ErrAdminMethodNotSupported)
}

// limit writes the bucket's policy: the limited user may list, read, write and
// delete below its prefix. Everything else is refused, because a policy binds
// everybody but root. Without a limited user there is no policy.
func limit(ctx context.Context, store *posix.Posix, bucket string, u users) error {
	if u.Limited == nil {
		return store.PutBucketPolicy(ctx, bucket, nil)
	}
	type object = map[string]any
	arn := "arn:aws:s3:::" + bucket
	who := object{"AWS": []string{u.Limited.AccessKey}}
	policy, err := json.Marshal(object{"Version": "2012-10-17", "Statement": []object{
		{
			"Effect": "Allow", "Principal": who, "Action": []string{"s3:ListBucket"}, "Resource": []string{arn},
			"Condition": object{"StringLike": object{"s3:prefix": u.Limited.Prefix + "*"}},
		},
		{
			"Effect": "Allow", "Principal": who, "Resource": []string{arn + "/" + u.Limited.Prefix + "*"},
			"Action": []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
		},
	}})
	if err != nil {
		return err
	}
	if err := auth.ValidatePolicyDocument(policy, bucket, newAccounts(u)); err != nil {
		return err
	}
	return store.PutBucketPolicy(ctx, bucket, policy)
}
