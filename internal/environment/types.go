// SPDX-License-Identifier: Apache-2.0

// Package environment reads the environment file, the one thing that a user
// writes: strictly, with defaults, and with the place of everything in it kept
// for what is only found wrong later.
package environment

import (
	"clusterup.dev/clusterup/internal/secret"
	"clusterup.dev/clusterup/internal/strictyaml"
)

// The comments below are the descriptions in the JSON schema.

// Environment is an environment file: one Kubernetes cluster and what runs on it.
type Environment struct {
	// Always clusterup.dev/v1alpha1.
	APIVersion string `yaml:"apiVersion" jsonschema:"required,enum=clusterup.dev/v1alpha1"`
	// Always Environment.
	Kind     string   `yaml:"kind" jsonschema:"required,enum=Environment"`
	Metadata Metadata `yaml:"metadata" jsonschema:"required"`
	Spec     Spec     `yaml:"spec" jsonschema:"required"`

	document *strictyaml.Document
	dir      string
	pgp      map[string]secret.PGPKey // by operator
}

// Dir is the folder that the file is in.
func (e *Environment) Dir() string { return e.dir }

// Metadata names the environment.
type Metadata struct {
	// The environment's name, and that of its file. Lower-case letters, digits and dashes.
	Name string `yaml:"name" jsonschema:"required,pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,maxLength=63"`
}

// Spec is what there has to be.
type Spec struct {
	// An environment to try things in. Only such a one may have a custodian and an operator with self.
	Development bool `yaml:"development,omitempty"`
	// The operator who holds all key shares of a development environment, so that everything goes on by itself.
	Custodian string `yaml:"custodian,omitempty"`
	// Where the cluster comes from.
	Cluster Cluster `yaml:"cluster" jsonschema:"required"`
	// Where everything is kept. May be absent with the Terraform module local, which brings its own S3 server.
	Store Store `yaml:"store,omitempty"`
	// The people who run clusterup: tokens are sealed to them.
	Operators []Operator `yaml:"operators" jsonschema:"required,minItems=1"`
	// What runs on the cluster. The order does not matter: add-ons name what they need.
	Addons []AddonRef `yaml:"addons,omitempty"`
	// What to put in the place of images: a whole reference, a repository or a registry, and its mirror.
	Images map[string]string `yaml:"images,omitempty"`
	// How holders get their sealed key shares, besides finding them in the bucket.
	Delivery *Delivery `yaml:"delivery,omitempty"`
	// How long one run may take. The default is 30m.
	Timeout Duration `yaml:"timeout,omitempty"`
}

// Cluster is either made by Terraform or there already.
type Cluster struct {
	// Make the cluster with a Terraform module.
	Terraform *Terraform `yaml:"terraform,omitempty"`
	// Use a cluster that is there: nothing is built.
	Kubeconfig *Kubeconfig `yaml:"kubeconfig,omitempty"`
}

// Terraform names a module and its variables.
type Terraform struct {
	// The name of a folder under terraform/.
	Module string `yaml:"module" jsonschema:"required"`
	// The variables of the module. Never secrets: they are kept in Terraform's state.
	Variables map[string]any `yaml:"variables,omitempty"`
}

// Kubeconfig names a cluster in a kubeconfig file.
type Kubeconfig struct {
	// The file. ~/ is the home folder; a relative path starts at the environment file.
	Path string `yaml:"path" jsonschema:"required"`
	// The context in that file. The file's current context is never used.
	Context string `yaml:"context" jsonschema:"required"`
}

// Store is a folder in an S3 bucket. Credentials are looked for where every AWS tool looks for them.
type Store struct {
	// The bucket, which has to exist.
	Bucket string `yaml:"bucket,omitempty"`
	// The folder in the bucket. The default is the environment's name.
	Prefix string `yaml:"prefix,omitempty"`
	// The bucket's region. The default is what AWS tools on this machine use.
	Region string `yaml:"region,omitempty"`
	// The URL of an S3 server other than AWS.
	Endpoint string `yaml:"endpoint,omitempty"`
	// Name the bucket in the path of requests instead of the host name, as many other S3 servers need it.
	PathStyle bool `yaml:"pathStyle,omitempty"`
}

// Operator is someone with a key, given as one of age, ssh, pgp and self.
type Operator struct {
	// How others call them: lower-case letters, digits and dashes.
	Name string `yaml:"name" jsonschema:"required,pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,maxLength=63"`
	// An age public key, age1....
	Age string `yaml:"age,omitempty"`
	// An SSH public key, ssh-ed25519 or ssh-rsa.
	SSH string `yaml:"ssh,omitempty"`
	// A PGP public key, armored, or the path of a file with one. It can hold shares of Vault's key, and opens no tokens.
	PGP string `yaml:"pgp,omitempty"`
	// Where to reach them.
	Email string `yaml:"email,omitempty"`
	// Whoever runs clusterup, with an identity that is made when there is none. Only with development.
	Self bool `yaml:"self,omitempty"`
}

// Delivery is how sealed key shares are sent to their holders, in one way or more.
type Delivery struct {
	// A folder that the sealed shares are put into. ~/ is the home folder; a relative path starts at the environment file.
	Folder string `yaml:"folder,omitempty"`
	// A mail server that takes one message for each holder who has an e-mail address.
	SMTP *SMTP `yaml:"smtp,omitempty"`
}

// SMTP names a mail server.
type SMTP struct {
	// The server's name, which its certificate has to have.
	Host string `yaml:"host" jsonschema:"required"`
	// The default is 587, with tls 465, with none 25.
	Port int `yaml:"port,omitempty" jsonschema:"minimum=1,maximum=65535"`
	// The sender's address.
	From string `yaml:"from" jsonschema:"required"`
	// How the connection is protected: starttls (the default), tls, or none, which sends no password.
	TLS string `yaml:"tls,omitempty" jsonschema:"enum=starttls,enum=tls,enum=none"`
	// The environment variable that holds the user's name, if the server asks for one.
	UsernameEnv string `yaml:"usernameEnv,omitempty"`
	// The environment variable that holds the password.
	PasswordEnv string `yaml:"passwordEnv,omitempty"`
}

// AddonRef names an add-on.
type AddonRef struct {
	// The name of a folder under addons/.
	Name string `yaml:"name" jsonschema:"required"`
	// What differs from the add-on's own values.
	Values map[string]any `yaml:"values,omitempty"`
}
