// SPDX-License-Identifier: Apache-2.0

package kube

import "time"

// causeKind is why something is not ready.
type causeKind string

const (
	causeImageName   causeKind = "bad image name"
	causeImageAbsent causeKind = "image not found"
	causeImagePull   causeKind = "image pull"
	causeConfig      causeKind = "container configuration"
	causeStart       causeKind = "container start"
	causeCrash       causeKind = "crash"
	causeSchedule    causeKind = "unschedulable"
	causeQuota       causeKind = "quota"
	causeCreate      causeKind = "pod refused"
	causeVolume      causeKind = "volume"
	causeMount       causeKind = "mount"
	causeProbe       causeKind = "not ready"
	causeStarting    causeKind = "starting"
	causeFailed      causeKind = "failed"
)

// patience is how long a cause is put up with before the wait ends on it. Every
// one of them can heal; the question is for how long waiting is likelier to help
// than to hide the cause.
type patience struct {
	never    bool          // only the timeout of the wait ends it
	last     time.Duration // since it was first seen
	restarts int           // and after so many restarts, one of them while we look
}

var patienceFor = map[causeKind]patience{
	// The name cannot be parsed, the job has used up its retries: nothing will try again.
	causeImageName: {},
	causeFailed:    {},
	// The registry said that there is no such image, or not for us. It is asked a second time, after
	// 10 s: a mirror may just be filling, images of a local node may just be loaded.
	causeImageAbsent: {last: 20 * time.Second},
	// A registry that does not answer often comes back within minutes.
	causeImagePull: {last: 2 * time.Minute},
	// A ConfigMap or Secret that is made by somebody else a little later.
	causeConfig: {last: 45 * time.Second},
	// No such program in the image, or a mount that cannot be made: only the second heals, soon.
	causeStart: {last: 45 * time.Second},
	// Crashing until a dependency is up is common. One restart has to happen while we look: an old
	// count says nothing about now. And nodes differ in how soon they try again.
	causeCrash: {last: time.Minute, restarts: 4},
	// Nodes join, volumes are provisioned and old pods leave within a minute; an autoscaler
	// needs longer and has a longer patience in the add-on's timeout.
	causeSchedule: {last: 90 * time.Second},
	// Pods that are still terminating count against the quota.
	causeQuota: {last: 45 * time.Second},
	// Admission webhooks and service accounts come up within seconds.
	causeCreate: {last: 45 * time.Second},
	// A provisioner that starts together with its first claim.
	causeVolume: {last: 90 * time.Second},
	// Secrets to be mounted may come later; attaching a volume can take minutes.
	causeMount: {never: true},
	// A probe that fails is how a program says that it is still starting.
	causeProbe:    {never: true},
	causeStarting: {never: true},
}

// cause is one reason, with what is needed to judge it.
type cause struct {
	kind     causeKind
	pod      string // "" when it is not about a pod
	where    string // the container, the claim
	message  string
	crashed  string // the container whose last lines may say more
	restarts int
	since    time.Time // by the cluster's clock; zero when not known
}

// key identifies a cause from one look to the next.
func (c cause) key() string { return string(c.kind) + "\x00" + c.pod + "\x00" + c.where }

func (c cause) String() string {
	s := string(c.kind)
	if c.where != "" {
		s = c.where + ": " + s
	}
	if c.pod != "" {
		s = "pod " + c.pod + ": " + s
	}
	if c.message != "" {
		s += ": " + c.message
	}
	return s
}

// endsNow judges by the cluster's clock alone, for a single look.
func (c cause) endsNow(now time.Time) bool {
	p := patienceFor[c.kind]
	switch {
	case p.never:
		return false
	case p.restarts > 0:
		return c.restarts >= p.restarts
	case p.last == 0:
		return true
	}
	return !c.since.IsZero() && now.Sub(c.since) >= p.last
}

// memory is what a wait remembers of the causes that it has seen.
type memory map[string]firstSeen

type firstSeen struct {
	at       time.Time
	restarts int
}

// ends judges by our own clock, from when this wait first saw the cause.
func (m memory) ends(scope string, c cause, now time.Time) bool {
	id := scope + "\x00" + c.key()
	first, ok := m[id]
	if !ok {
		first = firstSeen{at: now, restarts: c.restarts}
		m[id] = first
	}
	p := patienceFor[c.kind]
	switch {
	case p.never:
		return false
	case p.restarts > 0 && (c.restarts < p.restarts || c.restarts == first.restarts):
		return false
	}
	return now.Sub(first.at) >= p.last
}
