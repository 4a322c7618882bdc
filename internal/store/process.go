// SPDX-License-Identifier: Apache-2.0

package store

// process identifies one process on one boot of one machine, so that another
// process there can tell whether it still runs. It is empty where the system
// has no way to tell.
type process struct {
	Boot      string `json:"boot,omitempty"`      // random, new at every boot
	Namespace string `json:"namespace,omitempty"` // process numbers mean nothing outside of it
	PID       int    `json:"pid"`
	Started   string `json:"started,omitempty"` // a number can be used again, but not with this
}

// neighbour reports whether p is or was a process that this one could see.
func (p process) neighbour() bool {
	me, err := self()
	return err == nil && p.Boot != "" && p.Started != "" && p.Boot == me.Boot && p.Namespace == me.Namespace
}

// gone reports whether p certainly runs no more. It is false in doubt.
func (p process) gone() bool {
	if !p.neighbour() {
		return false
	}
	started, err := startOf(p.PID)
	return err == nil && started != p.Started
}
