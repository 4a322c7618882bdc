// SPDX-License-Identifier: Apache-2.0

package apischema

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The two kinds of Kubernetes that manifests have and k8s.io/api has not, as far
// as people write them. The schema in a definition is package crd's business.

type definition struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              definitionSpec `json:"spec"`
	Status            any            `json:"status,omitempty"`
}

type definitionSpec struct {
	Group                 string              `json:"group"`
	Names                 definitionNames     `json:"names"`
	Scope                 string              `json:"scope"`
	Versions              []definitionVersion `json:"versions"`
	Conversion            any                 `json:"conversion,omitempty"`
	PreserveUnknownFields bool                `json:"preserveUnknownFields,omitempty"`
}

type definitionNames struct {
	Plural     string   `json:"plural"`
	Singular   string   `json:"singular,omitempty"`
	ShortNames []string `json:"shortNames,omitempty"`
	Kind       string   `json:"kind"`
	ListKind   string   `json:"listKind,omitempty"`
	Categories []string `json:"categories,omitempty"`
}

type definitionVersion struct {
	Name                     string `json:"name"`
	Served                   bool   `json:"served"`
	Storage                  bool   `json:"storage"`
	Deprecated               bool   `json:"deprecated,omitempty"`
	DeprecationWarning       string `json:"deprecationWarning,omitempty"`
	Schema                   any    `json:"schema,omitempty"`
	Subresources             any    `json:"subresources,omitempty"`
	AdditionalPrinterColumns []any  `json:"additionalPrinterColumns,omitempty"`
	SelectableFields         []any  `json:"selectableFields,omitempty"`
}

type apiService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              apiServiceSpec `json:"spec,omitempty"`
	Status            any            `json:"status,omitempty"`
}

type apiServiceSpec struct {
	Service               map[string]any `json:"service,omitempty"`
	Group                 string         `json:"group,omitempty"`
	Version               string         `json:"version,omitempty"`
	InsecureSkipTLSVerify bool           `json:"insecureSkipTLSVerify,omitempty"`
	CABundle              []byte         `json:"caBundle,omitempty"`
	GroupPriorityMinimum  int32          `json:"groupPriorityMinimum"`
	VersionPriority       int32          `json:"versionPriority"`
}
