// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// requests are how many there were by the API server's own account, by verb and
// resource.
type requests map[string]int

var label = regexp.MustCompile(`(\w+)="([^"]*)"`)

// own is what the server itself reads and writes all the time.
var own = []string{"/metrics", "openapi/v3", "leases", "events", "apiservices", "endpointslices", "flowschemas", "prioritylevelconfigurations"}

func (w *world) requests(t *testing.T) requests {
	t.Helper()
	text, err := w.typed.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := make(requests)
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		labels := make(map[string]string)
		for _, match := range label.FindAllStringSubmatch(line, -1) {
			labels[match[1]] = match[2]
		}
		var count float64
		if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &count); err != nil {
			t.Fatal(err)
		}
		name := labels["verb"] + " " + labels["resource"]
		if labels["resource"] == "" {
			name = labels["verb"] + " " + labels["subresource"]
		}
		if labels["verb"] != "WATCH" && !slices.Contains(own, labels["resource"]) && !slices.Contains(own, labels["subresource"]) {
			all[name] += int(count)
		}
	}
	return all
}

func (r requests) since(before requests) requests {
	delta := make(requests)
	for name, count := range r {
		if count > before[name] {
			delta[name] = count - before[name]
		}
	}
	return delta
}

func (r requests) total() int {
	sum := 0
	for _, count := range r {
		sum += count
	}
	return sum
}

func (r requests) String() string {
	all := make([]string, 0, len(r))
	for name, count := range r {
		all = append(all, fmt.Sprintf("%d %s", count, name))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
