// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"clusterup.dev/clusterup/internal/hint"
)

// overridden are the managers whose fields are taken over without asking: hands at
// work, which is drift to be put right. A trailing * stands for any rest.
var overridden = []string{"kubectl*", "k9s*", "Mozilla*"}

// Conflict is one field that somebody else manages with another value.
type Conflict struct{ Manager, Field string }

// ConflictError says that others hold fields of an object.
type ConflictError struct {
	Ref       Ref
	Conflicts []Conflict
}

func (e *ConflictError) Error() string {
	held := make([]string, 0, len(e.Conflicts))
	for _, c := range e.Conflicts {
		held = append(held, fmt.Sprintf("%s is managed by %q", c.Field, c.Manager))
	}
	return fmt.Sprintf("%s: %s", e.Ref, strings.Join(held, ", "))
}

func (e *ConflictError) hinted() error {
	return hint.With(e, "list the field under `ignore:` in the add-on's addon.yaml, or take it out of the manifest; or stop what manages it")
}

var managerInMessage = regexp.MustCompile(`^conflict with "((?:[^"\\]|\\.)*)"`)

// conflictsIn reads the conflicts out of the answer to a server-side apply; none
// means that err is something else.
func conflictsIn(err error) []Conflict {
	var status apierrors.APIStatus
	if !apierrors.IsConflict(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var conflicts []Conflict
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		manager := cause.Message
		if m := managerInMessage.FindStringSubmatch(cause.Message); m != nil {
			manager = m[1]
		}
		conflicts = append(conflicts, Conflict{Manager: manager, Field: strings.TrimPrefix(cause.Field, ".")})
	}
	return conflicts
}

// foreign keeps the conflicts with managers that may not be overridden.
func foreign(conflicts []Conflict) []Conflict {
	return slices.DeleteFunc(slices.Clone(conflicts), func(c Conflict) bool {
		return c.Manager == Manager || slices.ContainsFunc(overridden, func(pattern string) bool {
			prefix, any := strings.CutSuffix(pattern, "*")
			return c.Manager == pattern || (any && strings.HasPrefix(c.Manager, prefix))
		})
	})
}
