// SPDX-License-Identifier: Apache-2.0

package app

import "clusterup.dev/clusterup/internal/converge"

// steps is THE list: what clusterup does, in order. A step runs as soon as those
// that it stands on are done; independent ones run side by side.
func (s *Session) steps() []converge.Item {
	l := &list{}
	if s.env.Spec.Cluster.Terraform != nil {
		l.add(s.infrastructure()) // nodes, network, or a cloud's cluster
	}
	l.add(s.nodes(), infrastructure) // the API answers, the nodes are ready
	l.add(s.binding(), nodes)        // this environment belongs to this cluster and to no other
	l.add(s.makeTokens())            // every secret, made once, sealed to the operators
	l.add(s.stage(), makeTokens)     // render everything; an immutable release in the bucket
	ends := []string{binding, stage}
	for _, a := range s.targets() { // in the order of their needs:
		ground := append(l.ends(a.needs), binding, stage)
		l.addon(a.name, s.apply(a.name), ground...) // what is in the release, server-side
		l.addon(a.name, s.ready(a.name))            // until it is what it should be
		l.hooks(a.name, s.hooked[a.name])           // what manifests cannot do: a quorum, an unsealed Vault
		l.beside(s.beside[a.name])                  // what holds nothing up: sealed key shares on their way
		ends = append(ends, l.last[a.name]...)
	}
	l.add(s.prune(), ends...) // what earlier releases had and this one lacks
	done := []string{prune}
	for _, last := range s.lastly() {
		l.add(last, prune) // what nobody uses any more is taken away
		done = append(done, last.Name())
	}
	l.add(s.promote(), done...) // the release is now the current one
	return l.items
}

// target is an add-on of the release that the steps bring about.
type target struct {
	name  string
	needs []string
}

// targets are the environment's add-ons or, on the way back to an earlier release,
// that one's: it may have others, with the rules of their time.
func (s *Session) targets() []target {
	all := []target{}
	if s.back != nil {
		for _, entry := range s.back.Index.Addons {
			all = append(all, target{entry.Name, entry.Rules.Needs})
		}
		return all
	}
	for _, c := range s.addons {
		all = append(all, target{c.Name, c.Needs})
	}
	return all
}

// lastly are steps of hooks that have to come after everything that could still
// use what they take away. On the way back to an earlier release there are none:
// it may use what the folders of today do not ask for.
func (s *Session) lastly() []converge.Step {
	if s.back != nil {
		return nil
	}
	return s.finals
}

// The names of the steps that others stand on.
const (
	infrastructure = "terraform"
	nodes          = "cluster/nodes"
	binding        = "cluster/binding"
	makeTokens     = "tokens"
	stage          = "release/stage"
	prune          = "release/prune"
	promote        = "release/promote"
)

// list collects items and remembers where each add-on ends.
type list struct {
	items []converge.Item
	last  map[string][]string // add-on → the steps that nothing of it stands on yet
}

// add appends a step that stands on others; those that are not in this
// environment's list (no Terraform) are left out.
func (l *list) add(s converge.Step, after ...string) {
	known := make([]string, 0, len(after))
	for _, name := range after {
		for _, item := range l.items {
			if item.Step.Name() == name {
				known = append(known, name)
			}
		}
	}
	l.items = append(l.items, converge.Item{Step: s, After: known})
}

// addon appends the next step of an add-on: it stands on the one before it, the
// first one on ground.
func (l *list) addon(name string, s converge.Step, ground ...string) {
	if l.last == nil {
		l.last = map[string][]string{}
	}
	if before, ok := l.last[name]; ok {
		ground = before
	}
	l.add(s, ground...)
	l.last[name] = []string{s.Name()}
}

// hooks appends what an add-on's hooks do, each hook after the one before it.
// The steps of one hook stand on each other as they say themselves.
func (l *list) hooks(name string, hooks [][]converge.Item) {
	for _, steps := range hooks {
		if len(steps) == 0 {
			continue // what comes next stands on what was before
		}
		ground, ends := l.last[name], []string{}
		for _, item := range steps {
			l.add(item.Step, append(item.After, ground...)...)
			ends = append(ends, item.Step.Name())
		}
		l.last[name] = ends
	}
}

// beside appends steps that say themselves what they stand on, and on which
// nothing stands.
func (l *list) beside(items []converge.Item) {
	for _, item := range items {
		l.add(item.Step, item.After...)
	}
}

// ends names the last steps of the add-ons.
func (l *list) ends(addons []string) []string {
	ends := []string{}
	for _, name := range addons {
		ends = append(ends, l.last[name]...)
	}
	return ends
}
