// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"clusterup.dev/clusterup/internal/backup"
	"clusterup.dev/clusterup/internal/consul"
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/store"
)

// jobSettings is the file that the add-on consul gives its job. Everything secret
// is in other files, and the key to the store in the environment's variables.
type jobSettings struct {
	Environment string    `json:"environment"`
	Keep        int       `json:"keep"`       // scheduled snapshots that stay
	Recipients  []string  `json:"recipients"` // public keys
	Consul      jobConsul `json:"consul"`
	Store       jobStore  `json:"store"`
}

type jobConsul struct {
	Datacenter  string `json:"datacenter"`
	Servers     int    `json:"servers"`
	StatefulSet string `json:"statefulSet"` // and its headless Service
	Namespace   string `json:"namespace"`
	CA          string `json:"ca"`    // file
	Token       string `json:"token"` // file
}

type jobStore struct {
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region"`
	Bucket    string `json:"bucket"`
	Prefix    string `json:"prefix"` // all that the job may see
	PathStyle bool   `json:"pathStyle"`
	CA        string `json:"ca"` // file; "" trusts what the system does
}

// SnapshotJob is what runs in the cluster on a schedule: it takes a snapshot of
// Consul, seals it, puts it into the bucket, and deletes the oldest scheduled ones.
func SnapshotJob(ctx context.Context, settings string) (shot backup.Snapshot, deleted []string, err error) {
	j, err := readSettings[jobSettings](settings)
	if err != nil {
		return shot, nil, err
	}
	recipients, err := parseRecipients(j.Recipients)
	if err != nil {
		return shot, nil, fmt.Errorf("read %s: %w", settings, err)
	}
	cluster, err := j.Consul.open()
	if err != nil {
		return shot, nil, err
	}
	defer cluster.Close()
	bucket, err := store.Open(ctx, store.Config{
		Bucket: j.Store.Bucket, Prefix: j.Store.Prefix, Region: j.Store.Region, Endpoint: j.Store.Endpoint,
		PathStyle: j.Store.PathStyle, CAFile: j.Store.CA,
	})
	if err != nil {
		return shot, nil, err
	}
	shelf := &backup.Shelf{Bucket: bucket, Prefix: consulFolder, Environment: j.Environment}
	if shot, err = saveConsul(ctx, shelf, cluster, backup.Scheduled, recipients); err != nil {
		return shot, nil, err
	}
	deleted, err = shelf.Keep(ctx, j.Keep)
	return shot, deleted, err
}

// readSettings reads the file that an add-on gives its job.
func readSettings[T any](path string) (settings T, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return settings, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&settings); err != nil {
		return settings, fmt.Errorf("read %s: %w", path, err)
	}
	return settings, nil
}

func parseRecipients(texts []string) ([]secret.Recipient, error) {
	all := make([]secret.Recipient, 0, len(texts))
	for _, text := range texts {
		kind := "age"
		if strings.HasPrefix(text, "ssh-") {
			kind = "ssh"
		}
		r, err := secret.ParseRecipient(kind, text)
		if err != nil {
			return nil, fmt.Errorf("recipient %.16s...: %w", text, err)
		}
		all = append(all, r)
	}
	return all, nil
}

func (j jobConsul) open() (*consul.Cluster, error) {
	ca, err := os.ReadFile(j.CA)
	if err != nil {
		return nil, err
	}
	token, err := os.ReadFile(j.Token)
	if err != nil {
		return nil, err
	}
	return consul.New(consul.Config{
		Dialer: j, Servers: j.Servers, Namespace: j.Namespace, StatefulSet: j.StatefulSet, Datacenter: j.Datacenter,
		Token: snapshotToken,
		Tokens: func(context.Context) (consul.Tokens, error) {
			set := &secret.Set{}
			set = set.With(secret.Spec{Addon: "consul", Name: "ca"}, secret.Value{}, string(ca))
			return set.With(secret.Spec{Addon: "consul", Name: "snapshots"}, secret.NewValue(bytes.TrimSpace(token)), ""), nil
		},
	})
}

// snapshotToken is the one that the job shows to Consul.
const snapshotToken = "consul/snapshots"

// Dial connects to a server by the name of its pod, from inside the cluster.
func (j jobConsul) Dial(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
	host := fmt.Sprintf("%s.%s.%s.svc", pod, j.StatefulSet, namespace)
	return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}
