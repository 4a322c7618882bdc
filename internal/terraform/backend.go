// SPDX-License-Identifier: Apache-2.0

package terraform

import (
	"fmt"
	"path"
	"strconv"
)

// StateKey is where a module's state is below a store's prefix.
const StateKey = "terraform/state.tfstate"

// LockKey is Terraform's own lock, beside the state.
const LockKey = StateKey + ".tflock"

// S3 describes the bucket of a state.
type S3 struct {
	Bucket, Prefix, Region string
	Endpoint               string // of an S3-compatible store; default: AWS
	PathStyle              bool
	CAFile                 string
}

// Backend is what `terraform init` is told. Of an S3-compatible store nothing is
// asked that only AWS can answer: each of those questions costs half a minute
// where there is no AWS.
func (s S3) Backend() map[string]string {
	b := map[string]string{
		"bucket":       s.Bucket,
		"key":          path.Join(s.Prefix, StateKey),
		"region":       s.Region,
		"use_lockfile": "true",
	}
	if s.Region == "" {
		b["region"] = "us-east-1"
	}
	if s.Endpoint != "" {
		b["endpoints"] = fmt.Sprintf("{s3=%s}", strconv.Quote(s.Endpoint))
		for _, skip := range []string{
			"skip_credentials_validation", "skip_requesting_account_id", "skip_metadata_api_check", "skip_region_validation",
		} {
			b[skip] = "true"
		}
	}
	if s.PathStyle {
		b["use_path_style"] = "true"
	}
	if s.CAFile != "" {
		b["custom_ca_bundle"] = s.CAFile
	}
	return b
}
