// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// review is the part of an AdmissionReview (admission.k8s.io/v1) that the
// webhook reads and writes.
type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

type request struct {
	UID       string `json:"uid"`
	Operation string `json:"operation"`
	Object    object `json:"object"`
}

type object struct {
	Metadata struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

type response struct {
	UID       string  `json:"uid"`
	Allowed   bool    `json:"allowed"`
	Status    *status `json:"status,omitempty"`
	PatchType string  `json:"patchType,omitempty"`
	Patch     []byte  `json:"patch,omitempty"`
}

type status struct {
	Message string `json:"message"`
	Code    int    `json:"code"`
}

// validate denies objects with the annotation. Its value, if it has one, is the
// reason.
func (o options) validate(r request) response {
	reason, denied := r.Object.Metadata.Annotations[o.deny]
	if !denied {
		return response{UID: r.UID, Allowed: true}
	}
	if reason == "" {
		reason = "it is annotated with " + o.deny
	}
	return response{UID: r.UID, Status: &status{Message: "echo denies it: " + reason, Code: http.StatusForbidden}}
}

// mutate denies the same, and marks all else with the pod's name.
func (o options) mutate(r request) response {
	answer := o.validate(r)
	if !answer.Allowed || r.Operation == "DELETE" || o.mark == "" {
		return answer
	}
	type change struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	patch := []change{}
	if r.Object.Metadata.Annotations == nil {
		patch = append(patch, change{"add", "/metadata/annotations", map[string]string{}})
	}
	key := strings.NewReplacer("~", "~0", "/", "~1").Replace(o.mark)
	patch = append(patch, change{"add", "/metadata/annotations/" + key, podName()})
	answer.PatchType = "JSONPatch"
	answer.Patch, _ = json.Marshal(patch) // of strings
	return answer
}

func (o options) review(decide func(request) response) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var asked review
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<20)).Decode(&asked); err != nil || asked.Request == nil {
			http.Error(w, fmt.Sprintf("not an AdmissionReview with a request: %v", err), http.StatusBadRequest)
			return
		}
		answer := decide(*asked.Request)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview", Response: &answer})
	}
}
