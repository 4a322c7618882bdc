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
)

type options struct {
	address     string // host:port to listen on
	data        string // absolute; every object is a file below it
	versions    string // absolute, outside data; empty means no versioning
	region      string
	bucket      string // made at start when it is not there yet
	credentials string // file, so that the secret is never an argument
	pidFile     string
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
	f.StringVar(&o.credentials, "credentials", "", "0600 `file` with {\"accessKey\":\"..\",\"secretKey\":\"..\"}")
	f.StringVar(&o.pidFile, "pid-file", "", "`file` that holds the process id while the server runs")
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
	for name, path := range map[string]string{
		"data": o.data, "versions": o.versions, "credentials": o.credentials, "pid-file": o.pidFile,
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

// readCredentials insists on a file that only its owner can read.
func readCredentials(path string) (keyPair, error) {
	var c keyPair
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
	return c, nil
}
