// SPDX-License-Identifier: Apache-2.0

// Package addon turns a folder into Kubernetes objects: metadata, values,
// templates. It names hooks and tokens and knows none of them; it never talks
// to a cluster or a bucket.
package addon

import (
	"io/fs"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"clusterup.dev/clusterup/internal/strictyaml"
)

// What addon.yaml has to say it is.
const (
	APIVersion = "clusterup.dev/v1alpha1"
	Kind       = "Addon"
)

// Addon is one add-on folder, read and checked.
type Addon struct {
	APIVersion  string            `yaml:"apiVersion"`
	Kind        string            `yaml:"kind"`
	Name        string            `yaml:"name"`        // the name of its folder
	Version     string            `yaml:"version"`     // of what it installs
	Description string            `yaml:"description"` // one line
	Namespace   string            `yaml:"namespace"`   // of its objects; its name when empty
	Needs       []string          `yaml:"needs"`       // add-ons that have to be ready before it; once loaded, with those of Uses
	Uses        []string          `yaml:"uses"`        // the same, and an environment may do without them
	Values      map[string]any    `yaml:"values"`      // defaults of what an environment may set
	Images      map[string]string `yaml:"images"`      // exact references by key
	Tokens      []Token           `yaml:"tokens"`
	Ready       Ready             `yaml:"ready"`
	Replace     []string          `yaml:"replace"` // "Job/migrate", "Job": made anew where a field cannot be changed
	Protect     []string          `yaml:"protect"` // "ConfigMap/state": never pruned unless the run allows it
	Ignore      []Ignore          `yaml:"ignore"`
	Hooks       []Hook            `yaml:"hooks"`
	Upstream    Upstream          `yaml:"source"` // manifests that are not written for clusterup

	Source string `yaml:"-"` // where it comes from: "built-in" or a path
	Dir    string `yaml:"-"` // its folder as errors name it: "addons/consul"

	// asked is what it asks of add-ons (policies, credentials), by their names:
	// only they know what it means. It may ask itself and those that it needs.
	asked    map[string]map[string]any
	files    fs.FS
	schema   *jsonschema.Schema // nil when there is no values.schema.json
	document *strictyaml.Document
}

// Token is a secret that is made once for an environment, before anything is
// rendered. CommonName, DNS and IPs may be templates over the values.
type Token struct {
	Name       string   `yaml:"name"`
	Kind       string   `yaml:"kind"`
	CA         string   `yaml:"ca"` // of a cert: "consul/ca"; own tokens may leave the add-on out
	CommonName string   `yaml:"commonName"`
	DNS        []string `yaml:"dns"`
	IPs        []string `yaml:"ips"`
	Server     bool     `yaml:"server"`
	Client     bool     `yaml:"client"`
	Length     int      `yaml:"length"`
}

// Ready says when the objects of the add-on count as ready.
type Ready struct {
	Within  string        `yaml:"timeout"` // as it is written: "90s"
	Timeout time.Duration `yaml:"-"`       // the same; five minutes, if left out
	Skip    []string      `yaml:"skip"`    // "StatefulSet/vault" or "StatefulSet": not waited for, a hook does
	Objects []ReadyObject `yaml:"objects"` // what is special about single ones
}

// ReadyObject is when one object, or all of a kind, counts as ready.
type ReadyObject struct {
	Object  string        `yaml:"object"`  // "Widget/demo" or "Widget"
	Within  string        `yaml:"timeout"` // its own deadline; empty is the add-on's
	Timeout time.Duration `yaml:"-"`       // the same
	Field   string        `yaml:"field"`   // "status.phase": has to have the value Is; empty for the usual rules
	Is      string        `yaml:"is"`
}

// Ignore names fields that others write once the object exists: the manifest's
// value is only the first one.
type Ignore struct {
	Object string   `yaml:"object"` // "Deployment/web" or "Deployment"
	Fields []string `yaml:"fields"` // "spec.replicas", "webhooks[name=x].clientConfig.caBundle"
}

// Hook is work that manifests cannot do, by the name under which the program
// knows it. Strings in With may be templates over the values.
type Hook struct {
	Use  string         `yaml:"use"`
	With map[string]any `yaml:"with"`
}

// Text is an argument that is text; "" when it is not there.
func (h Hook) Text(name string) string {
	text, _ := h.With[name].(string)
	return text
}

// Names of what is in a folder.
const (
	MetadataFile = "addon.yaml" // what makes a folder an add-on
	SchemaFile   = "values.schema.json"
	manifestsDir = "manifests"
	filesDir     = "files"
)

// Files is the whole folder: for hooks that are given the name of a file, and
// for checks.
func (a *Addon) Files() fs.FS { return a.files }
