// SPDX-License-Identifier: Apache-2.0

package addon

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// suggest is a hint for a name that is not among the known ones: the nearest of
// them, or all when none is near and they are few, or nothing.
func suggest[V any](name string, known map[string]V) string {
	names := slices.Sorted(maps.Keys(known))
	best, least := "", len(name)/3+2
	for _, candidate := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %s?", best)
	case len(names) > 0 && len(names) <= 16:
		return "there are: " + strings.Join(names, ", ")
	}
	return ""
}

// distance is the number of letters to add, drop or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
