// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// job is what a tool is asked for: that the objects are there as they are wanted.
type job struct {
	kubeconfig string
	namespace  string
	objects    []*unstructured.Unstructured
	memory     string // file that a tool may keep between its runs on the same objects
}

// result is what one run of a tool took.
type result struct {
	Seconds float64 `json:"seconds"`         // from making the clients to the end
	Found   float64 `json:"found"`           // of these: until what has to change was known
	Changes int     `json:"changes"`         // objects that were not as wanted, where the tool says
	Named   string  `json:"named,omitempty"` // the first field that differed, and who wrote it
	PeakKB  int     `json:"peakKB"`
}

// concurrency is how many requests a tool that lets us say so has under way.
const concurrency = 16

var tools = map[string]func(context.Context, *job) (result, error){
	"bare":          bare,
	"list-metadata": listMetadata,
	"list-objects":  listObjects,
	"clusterup":     engine,
	"flux":          flux,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1) //nolint:forbidigo // main is where the process ends
	}
}

// run carries out `TOOL KUBECONFIG NAMESPACE OBJECTS MEMORY`. BENCH_PROFILES names
// a folder for CPU profiles.
func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 5 || tools[args[0]] == nil {
		return errors.New("usage: bench TOOL KUBECONFIG NAMESPACE OBJECTS MEMORY")
	}
	objects, err := readObjects(args[3])
	if err != nil {
		return err
	}
	j := &job{kubeconfig: args[1], namespace: args[2], objects: objects, memory: args[4]}
	if dir := os.Getenv("BENCH_PROFILES"); dir != "" {
		file, err := os.CreateTemp(dir, args[0]+"-*.pprof")
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	start := time.Now()
	r, err := tools[args[0]](ctx, j)
	if err != nil {
		return err
	}
	r.Seconds = time.Since(start).Seconds()
	if r.PeakKB, err = peak("self"); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(r)
}

// connection is the configuration of a client without a limit of its own.
func (j *job) connection() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", j.kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	return config, nil
}

func readObjects(path string) ([]*unstructured.Unstructured, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	if err := list.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	objects := make([]*unstructured.Unstructured, len(list.Items))
	for i := range list.Items {
		objects[i] = &list.Items[i]
	}
	return objects, nil
}
