// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"fmt"
	"path/filepath"

	"clusterup.dev/clusterup/internal/secret"
)

// existingCluster is the way out for a machine that can't hold nodes.
const existingCluster = "an existing cluster can be named in the environment file instead (spec.cluster.kubeconfig)"

// StoreAccess is how to reach the S3 server of an environment.
type StoreAccess struct {
	Endpoint, Region, Bucket, AccessKey string
	SecretKey                           secret.Value
}

// The names in every environment's store: it is the environment's own, so they
// need not tell environments apart.
const (
	storeRegion = "us-east-1"
	storeBucket = "clusterup"
)

// storeFiles are where the S3 server of one environment keeps things.
type storeFiles string

func (l layout) files() storeFiles { return storeFiles(l.store()) }

func (f storeFiles) data() string        { return filepath.Join(string(f), "data") }
func (f storeFiles) versions() string    { return filepath.Join(string(f), "versions") }
func (f storeFiles) credentials() string { return filepath.Join(string(f), "credentials.json") }
func (f storeFiles) settings() string    { return filepath.Join(string(f), "settings.json") }
func (f storeFiles) pid() string         { return filepath.Join(string(f), "server.pid") }

// log is the server's output, and its sign of life: the server inherits a lock
// on it, which ends with the server.
func (f storeFiles) log() string { return filepath.Join(string(f), "server.log") }

// storeSettings are picked once: Terraform's backend remembers the endpoint.
type storeSettings struct {
	Port int `json:"port"`
}

func (s storeSettings) address() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// storeKeys is the file that the server reads its root key from.
type storeKeys struct {
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}
