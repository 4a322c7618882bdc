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
	// Pods is the way of jobs in pods; the zero PodsAccess while the environment
	// holds no subnet.
	Pods PodsAccess
}

// PodsAccess is how pods reach the S3 server: over the bridge, with TLS, as a
// user who can do nothing outside of BackupsPrefix.
type PodsAccess struct {
	Endpoint  string // "https://10.88.0.1:20123"
	CA        string // PEM
	AccessKey string
	SecretKey secret.Value
}

// BackupsPrefix is the folder of the bucket in which pods of an environment may
// read and write.
func BackupsPrefix(environment string) string { return environment + "/backups/" }

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
func (f storeFiles) podsCert() string    { return filepath.Join(string(f), "pods.crt") }
func (f storeFiles) podsKey() string     { return filepath.Join(string(f), "pods.key") }
func (f storeFiles) started() string     { return filepath.Join(string(f), "started.json") }
func (f storeFiles) pid() string         { return filepath.Join(string(f), "server.pid") }

// log is the server's output, and its sign of life: the server inherits a lock
// on it, which ends with the server.
func (f storeFiles) log() string { return filepath.Join(string(f), "server.log") }

// storeSettings are picked once: Terraform's backend remembers the endpoint.
type storeSettings struct {
	Port int `json:"port"`
}

func (s storeSettings) address() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// storeKeys is the file that the server reads its users from.
type storeKeys struct {
	AccessKey string     `json:"accessKey"`
	SecretKey string     `json:"secretKey"`
	Limited   *storeUser `json:"limited,omitempty"` // who pods are; absent in files of older versions
}

type storeUser struct {
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
	Prefix    string `json:"prefix"` // of the keys that it may read and write
}
