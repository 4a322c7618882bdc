// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
)

type options struct {
	address     string // host:port to listen on
	data        string // absolute; every object is a file below it
	versions    string // absolute, outside data; empty means no versioning
	region      string
	bucket      string // made at start when it is not there yet
	credentials string // file, so that the secret is never an argument
	pidFile     string

	pods string // host:port of the TLS listener for the limited user; empty means none
	cert string // of that listener, PEM files
	key  string
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("s3", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.address, "address", "127.0.0.1:9000", "`host:port` to listen on")
	f.StringVar(&o.data, "data", "", "absolute `folder` of the objects")
	f.StringVar(&o.versions, "versions", "", "absolute `folder` of older versions, outside --data; without it buckets cannot be versioned")
	f.StringVar(&o.region, "region", "us-east-1", "region that requests must be signed for")
	f.StringVar(&o.bucket, "bucket", "", "`name` of a bucket to make at start when it is absent")
	f.StringVar(&o.credentials, "credentials", "", "0600 `file` with {\"accessKey\":\"..\",\"secretKey\":\"..\",\"limited\":{\"accessKey\":\"..\",\"secretKey\":\"..\",\"prefix\":\"..\"}}; the limited user is optional")
	f.StringVar(&o.pidFile, "pid-file", "", "`file` that holds the process id while the server runs")
	f.StringVar(&o.pods, "pods-address", "", "`host:port` of a TLS listener for the limited user alone; the address need not exist yet")
	f.StringVar(&o.cert, "pods-cert", "", "PEM `file` with the certificate of --pods-address")
	f.StringVar(&o.key, "pods-key", "", "PEM `file` with its key")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.SetOutput(os.Stdout)
			f.PrintDefaults()
		}
		return o, err
	}
	return o, o.check(f.Args())
}

// check refuses relative paths because the gateway changes its working folder
// to the data folder.
func (o options) check(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	if _, _, err := net.SplitHostPort(o.address); err != nil {
		return fmt.Errorf("--address: %w", err)
	}
	if o.data == "" || o.credentials == "" {
		return errors.New("--data and --credentials are needed")
	}
	if o.pods != "" {
		if _, _, err := net.SplitHostPort(o.pods); err != nil {
			return fmt.Errorf("--pods-address: %w", err)
		}
		if o.cert == "" || o.key == "" {
			return errors.New("--pods-address needs --pods-cert and --pods-key")
		}
	}
	for name, path := range map[string]string{
		"data": o.data, "versions": o.versions, "credentials": o.credentials, "pid-file": o.pidFile,
		"pods-cert": o.cert, "pods-key": o.key,
	} {
		if path != "" && !filepath.IsAbs(path) {
			return fmt.Errorf("--%s %q is not an absolute path", name, path)
		}
	}
	return nil
}

type keyPair struct {
	AccessKey string `json:"accessKey"`
	SecretKey string `json:"secretKey"`
}

// users are who may ask: root for everything, limited for what is below one
// prefix of the bucket.
type users struct {
	keyPair
	Limited *limitedUser `json:"limited"`
}

type limitedUser struct {
	keyPair
	Prefix string `json:"prefix"` // "local/backups/"
}

// readCredentials insists on a file that only its owner can read.
func readCredentials(path string) (users, error) {
	var c users
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("open credentials: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return c, fmt.Errorf("stat credentials: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return c, fmt.Errorf("credentials %s have mode %04o: others can read them, make it 0600", path, perm)
	}
	if err := json.NewDecoder(f).Decode(&c); err != nil {
		return c, fmt.Errorf("read credentials %s: %w", path, err)
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		return c, fmt.Errorf("credentials %s lack accessKey or secretKey", path)
	}
	if l := c.Limited; l != nil {
		if l.AccessKey == "" || l.SecretKey == "" || l.AccessKey == c.AccessKey {
			return c, fmt.Errorf("credentials %s: the limited user lacks keys of its own", path)
		}
		if len(l.Prefix) < 2 || !strings.HasSuffix(l.Prefix, "/") || strings.ContainsAny(l.Prefix, "*?$\\") {
			return c, fmt.Errorf("credentials %s: the limited user's prefix %q is not a folder", path, l.Prefix)
		}
	}
	return c, nil
}
