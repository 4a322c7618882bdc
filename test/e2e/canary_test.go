// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The sorts of places where a secret could have leaked to.
const (
	printed   = "what clusterup printed"
	arguments = "the arguments of a process"
	inBucket  = "the bucket"
	terraform = "Terraform's files"
	atHome    = "the home folder"
	logs      = "the logs of this machine"
	podLogs   = "the logs of the nodes' containers"
	cluster   = "the files of the cluster"
	objects   = "objects of a kind"
)

// fewest is how many places of a sort there are at the least: a pattern that
// matches nothing must not pass for a clean environment. Three nodes log three
// files each, and six pods of Consul and Vault run nine containers.
var fewest = map[string]int{
	printed: 1, arguments: 50, inBucket: 25, terraform: 6, atHome: 1, logs: 10, podLogs: 9, cluster: 5, objects: 30,
}

type place struct {
	sort, name string
	data       []byte
}

// never is what has no business anywhere, whoever's it is: tokens of Vault, which
// are not in the bucket any more, private keys and identities.
var never = regexp.MustCompile(`hv[sbr]\.[A-Za-z0-9_-]{4}|PRIVATE KEY-----|AGE-SECRET-KEY-1`)

// canary looks for every secret wherever it could have leaked to.
func (w *world) canary(t *testing.T) {
	places := w.places(t)
	scanned := map[string]int{}
	for _, p := range places {
		scanned[p.sort]++
		if hit := never.Find(p.data); hit != nil {
			t.Errorf("%q is in %s: %s", hit, p.sort, p.name)
		}
	}
	t.Logf("scanned: %v", scanned)
	for sort, n := range fewest {
		if scanned[sort] < n {
			t.Errorf("%d places were scanned of %s, want %d or more", scanned[sort], sort, n)
		}
	}
	// What Terraform's provisioners run lives for some seconds only.
	if !slices.ContainsFunc(places, func(p place) bool { return p.sort == arguments && strings.Contains(p.name, " local boot ") }) {
		t.Error("no process was seen that boots nodes: the processes were not looked at in time")
	}
	for key, forms := range w.secrets(t) {
		for _, p := range places {
			if holds(p.data, forms) {
				t.Errorf("%s is in %s: %s", strings.TrimPrefix(key, w.state), p.sort, p.name)
			}
		}
	}
}

func (w *world) places(t *testing.T) []place {
	t.Helper()
	all := []place{{printed, "", w.said.Bytes()}}
	add := func(sort, name string, data []byte) { all = append(all, place{sort, name, data}) }
	for _, line := range w.seen.all() {
		add(arguments, strings.ReplaceAll(line, "\x00", " "), []byte(line))
	}
	for path, data := range w.bucket(t) {
		add(inBucket, path, data)
	}
	for path, data := range files(t, w.home, filepath.Base(w.identity()), kubeconfigFile) {
		sort := atHome
		if strings.HasPrefix(path, w.terraform()+"/") {
			sort = terraform
		}
		add(sort, path, data)
		for name, entry := range unzipped(t, data) { // a plan
			add(sort, path+": "+name, entry)
		}
	}
	for sort, patterns := range map[string][]string{
		logs:    {"logs/*"},
		podLogs: {"nodes/*/var/log/pods/*/*/*"},
		cluster: {"cluster/*", "nodes/*/*.json", "reservation.json"},
	} {
		for _, pattern := range patterns {
			paths, _ := filepath.Glob(filepath.Join(w.state, pattern))
			for _, path := range paths {
				data, err := os.ReadFile(path)
				if err != nil && !os.IsNotExist(err) { // logs are rotated
					t.Fatal(err)
				}
				add(sort, path, data)
			}
		}
	}
	for kind := range strings.FieldsSeq(w.kubectl("", "api-resources", "--verbs=list", "-o", "name")) {
		if kind != "secrets" {
			add(objects, kind, []byte(w.kubectl("", "get", kind, "-A", "-o", "yaml")))
		}
	}
	return all
}

// unzipped are the entries of a zip archive; none of what is not one.
func unzipped(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil
	}
	entries := map[string][]byte{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		entries[f.Name], err = io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
	}
	return entries
}
