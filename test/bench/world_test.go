// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"clusterup.dev/clusterup/internal/testservers"
)

// world is the servers that all contenders share, and the benchmark's own clients.
type world struct {
	settings
	kubeconfig string
	s3         *testservers.S3Server
	dir        string
	self       string // this program
	clusterup  string // the command
	kubectlBin string

	typed    kubernetes.Interface
	metadata metadata.Interface
	dynamic  dynamic.Interface
	places   int
}

func newWorld(t *testing.T, s settings) *world {
	t.Helper()
	w := &world{settings: s, kubeconfig: testservers.APIServer(t), s3: testservers.S3(t), dir: t.TempDir()}
	var err error
	if w.self, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	if w.clusterup, err = filepath.Abs("../../bin/clusterup"); err != nil {
		t.Fatal(err)
	}
	if w.kubectl > 0 {
		w.kubectlBin = testservers.Bin(t, "kubectl")
	}
	config, err := (&job{kubeconfig: w.kubeconfig}).connection()
	if err != nil {
		t.Fatal(err)
	}
	if w.typed, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if w.metadata, err = metadata.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if w.dynamic, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	w.node(t)
	return w
}

// node is one that claims to be ready: clusterup waits for that.
func (w *world) node(t *testing.T) {
	t.Helper()
	nodes := w.typed.CoreV1().Nodes()
	node, err := nodes.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "only"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if _, err := nodes.UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// place is where one cell is measured: a namespace of its own, and a folder.
type place struct {
	namespace string
	dir       string
	file      string // the objects as a list, for those that read one
	objects   []*unstructured.Unstructured
}

func (w *world) newPlace(t *testing.T, c contender, table *table, round int) *place {
	t.Helper()
	w.places++
	p := &place{namespace: fmt.Sprintf("bench-%d-%s", w.places, c.short)}
	p.dir = filepath.Join(w.dir, p.namespace)
	p.file = filepath.Join(p.dir, "objects.json")
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p.objects = sample(profiles()[table.profile], table.size, p.namespace)
	list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	for _, o := range p.objects {
		list.Items = append(list.Items, *o)
	}
	data, err := list.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if c.prepare != nil {
		c.prepare(t, p)
		return p
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}
	if _, err := w.typed.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return p
}

// say tells on stderr how far the benchmark is.
func (w *world) say(format string, args ...any) {
	if w.table != "" {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	}
}

func (w *world) publish(t *testing.T, text string) {
	t.Helper()
	if w.table == "" {
		t.Log("\n" + text)
		return
	}
	if err := os.WriteFile(w.table, []byte(text), 0o600); err != nil {
		t.Error(err)
	}
}
