// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Observe looks at the environment's nodes and changes nothing. Its generation
// is the one of the last boot as long as all that boot made is there, and the
// next one otherwise: a node is dead, the bridge or a link is gone, or the
// servers have other images by now. It carries the reservation's own mark, so
// that it is new, too, after the state folder was lost.
func Observe(_ context.Context, c Config) (Observation, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return Observation{}, err
	}
	l := c.layout()
	c.Subnet = "" // what is held is looked at, whatever is asked for
	r, n, err := reserved(c)
	if err != nil {
		return Observation{}, err
	}
	var was booted
	if err := readJSON(l.booted(), &was); err != nil {
		return Observation{}, err
	}
	o := Observation{Generation: was.Generation}
	whole := r.ID != "" && strings.HasPrefix(was.Generation, r.ID+"-")
	for i := 1; i <= max(was.Nodes, c.Nodes); i++ {
		pid, err := livingNode(l.node(i))
		if err != nil {
			return o, err
		}
		o.Nodes = append(o.Nodes, NodeState{Name: NodeName(c.Environment, i), Alive: pid != 0})
		if i <= was.Nodes {
			whole = whole && pid != 0 && networkStands(n, []int{i})
		}
	}
	if whole && c.Servers != "" {
		key, err := imagesKey(c.Servers)
		whole = err != nil || key == was.Images // servers that are gone are no reason to boot
	}
	if !whole {
		o.Generation = next(r.ID, was.Generation)
	}
	return o, nil
}

// next is the generation after another one of the same reservation.
func next(id, generation string) string {
	count := 0
	if text, ok := strings.CutPrefix(generation, id+"-"); ok {
		count, _ = strconv.Atoi(text)
	}
	return fmt.Sprintf("%s-%d", id, count+1)
}
