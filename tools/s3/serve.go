// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// most bounds connections and requests: far above what one machine's
// terraform and clusterup use, and below its open files.
const most = 1000

// serve runs the store until ctx ends, which is a clean end. There can be one
// in a process: the gateway keeps globals and changes the working folder.
func serve(ctx context.Context, o options) error {
	key, err := readCredentials(o.credentials)
	if err != nil {
		return err
	}
	for _, dir := range []string{o.data, o.versions} {
		if dir == "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	if err := (meta.XattrMeta{}).Test(o.data); err != nil {
		return fmt.Errorf("%s: %w", o.data, err)
	}
	store, err := posix.New(o.data, markers{}, posix.PosixOpts{
		NewDirPerm:          0o700,
		NewFilePerm:         0o600,
		VersioningDir:       o.versions,
		CopyObjectThreshold: 5 << 30, // zero refuses every copy
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", o.data, err)
	}
	if o.bucket != "" {
		if err := ensureBucket(ctx, store, o.bucket, key.AccessKey); err != nil {
			return fmt.Errorf("make bucket %s: %w", o.bucket, err)
		}
		if err := limit(ctx, store, o.bucket, key); err != nil {
			return fmt.Errorf("limit the user of bucket %s: %w", o.bucket, err)
		}
	}
	if o.pidFile != "" {
		if err := os.WriteFile(o.pidFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
			return fmt.Errorf("write pid file: %w", err)
		}
		defer os.Remove(o.pidFile)
	}
	if o.pods != "" {
		stop, err := servePods(ctx, o, key.Limited)
		if err != nil {
			return fmt.Errorf("serve pods at %s: %w", o.pods, err)
		}
		defer stop()
	}
	err = embedgw.RunVersityGW(ctx, store, &embedgw.Config{
		RootUserAccess:    key.AccessKey,
		RootUserSecret:    key.SecretKey,
		Region:            o.region,
		Ports:             []string{o.address},
		HealthPath:        "/healthz",
		MaxConnections:    most,
		MaxRequests:       most,
		MultipartMaxParts: 10_000,
		KeepAlive:         true,
		Quiet:             true,
		IAMService:        newAccounts(key),
	})
	if err != nil {
		return fmt.Errorf("serve %s: %w", o.address, err)
	}
	return nil
}
