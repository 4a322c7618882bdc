// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"net/url"
	"regexp"
	"strings"

	"clusterup.dev/clusterup/internal/hint"
)

const (
	apiVersion = "clusterup.dev/v1alpha1"
	kind       = "Environment"
	nameHint   = "a name has lower-case letters, digits and dashes, begins and ends with a letter or digit, and has 63 of them at most"
	// ModuleLocal is the Terraform module that needs no store: it comes with one.
	ModuleLocal = "local"
)

// DNS labels.
var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// validate checks what can be said about a file by itself. Each check reports
// the first thing that is wrong, in one line, where it is.
func (e *Environment) validate() error {
	for _, check := range []func() error{e.checkHead, e.checkCluster, e.checkStore, e.checkOperators, e.checkCustodian, e.checkAddons, e.checkImages, e.checkDelivery} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (e *Environment) checkHead() error {
	if e.APIVersion != apiVersion {
		return hint.With(e.Errorf([]any{"apiVersion"}, "apiVersion is %s", quoted(e.APIVersion)), "this clusterup reads %s", apiVersion)
	}
	if e.Kind != kind {
		return hint.With(e.Errorf([]any{"kind"}, "kind is %s", quoted(e.Kind)), "it has to be %s", kind)
	}
	return e.checkName(e.Metadata.Name, "metadata", "name")
}

// checkName wants a DNS label at path.
func (e *Environment) checkName(name string, path ...any) error {
	if !namePattern.MatchString(name) {
		return hint.With(e.Errorf(path, "%s is %s", dotted(path), quoted(name)), "%s", nameHint)
	}
	return nil
}

func (e *Environment) checkCluster() error {
	c := e.Spec.Cluster
	path := []any{"spec", "cluster"}
	switch {
	case c.Terraform == nil && c.Kubeconfig == nil:
		return hint.With(e.Errorf(path, "spec.cluster says neither how to make a cluster nor which to use"),
			"terraform: {module: local}, or kubeconfig: {path: ~/.kube/config, context: NAME}")
	case c.Terraform != nil && c.Kubeconfig != nil:
		return hint.With(e.Errorf(path, "spec.cluster has both terraform and kubeconfig"),
			"terraform makes a cluster, kubeconfig names one that is there: keep one of them")
	case c.Terraform != nil:
		return e.checkName(c.Terraform.Module, "spec", "cluster", "terraform", "module")
	case c.Kubeconfig.Path == "":
		return e.Errorf(append(path, "kubeconfig", "path"), "spec.cluster.kubeconfig.path is missing")
	case c.Kubeconfig.Context == "":
		return hint.With(e.Errorf(append(path, "kubeconfig", "context"), "spec.cluster.kubeconfig.context is missing"),
			"kubectl config get-contexts lists them; the current one is never used, so that a run cannot hit another cluster")
	}
	return nil
}

// LocalStore reports whether the environment keeps everything in the S3 server
// that comes with the module local.
func (e *Environment) LocalStore() bool { return e.Spec.Store.Bucket == "" }

func (e *Environment) checkStore() error {
	s := e.Spec.Store
	local := e.Spec.Cluster.Terraform != nil && e.Spec.Cluster.Terraform.Module == ModuleLocal
	switch {
	case s.Bucket == "" && s != Store{}:
		return e.Errorf([]any{"spec", "store"}, "spec.store.bucket is missing")
	case s.Bucket == "" && local:
		return nil
	case s.Bucket == "":
		return hint.With(e.Errorf([]any{"spec"}, "spec.store is missing"),
			"store: {bucket: NAME, region: REGION}; only the module %s comes with a store of its own", ModuleLocal)
	case strings.ContainsAny(s.Bucket, "/: "):
		return e.Errorf([]any{"spec", "store", "bucket"}, "%q is not the name of a bucket", s.Bucket)
	case !prefixPattern.MatchString(s.Prefix):
		return hint.With(e.Errorf([]any{"spec", "store", "prefix"}, "%q is not a folder in a bucket", s.Prefix),
			"names of letters, digits, dots, dashes and underscores, with slashes between them")
	}
	if u, err := url.Parse(s.Endpoint); s.Endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return hint.With(e.Errorf([]any{"spec", "store", "endpoint"}, "%q is not the URL of an S3 server", s.Endpoint), "write it like https://s3.example.com:9000")
	}
	return nil
}

var prefixPattern = regexp.MustCompile(`^([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?$`)
