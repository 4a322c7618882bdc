// SPDX-License-Identifier: Apache-2.0

package localcluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// daemon is a program that runs as long as its node does.
type daemon struct {
	name  string
	args  []string // args[0] is the program
	log   *os.File
	ready func(ctx context.Context) error // what has to be true before a start
}

// How soon a daemon that ended is started again, and how long it has to run to
// count as well.
const (
	firstRestart = 200 * time.Millisecond
	lastRestart  = 5 * time.Second
	wellAfter    = 30 * time.Second
	stopPatience = 10 * time.Second
)

// supervise starts the daemons, starts them again when they end, and collects
// every orphan of the node. When ctx ends it stops them, the last one first,
// gives all other processes the chance to end, and returns.
func supervise(ctx context.Context, daemons []daemon) error {
	n := &nursery{waiting: make(map[int]chan struct{})}
	go n.collect()
	var running sync.WaitGroup
	stops := make([]func(), len(daemons))
	for i, d := range daemons {
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		ended := make(chan struct{})
		stops[i] = func() { stop(); <-ended }
		running.Go(func() { defer close(ended); n.keep(own, d) })
	}
	<-ctx.Done()
	for i := len(stops) - 1; i > 0; i-- {
		stops[i]()
	}
	_ = unix.Kill(-1, unix.SIGTERM) // the pods and, with them, the first daemon
	stops[0]()
	running.Wait()
	return nil
}

// nursery starts processes and learns of the end of each, and of every orphan
// that the kernel hands to the first process.
type nursery struct {
	mu      sync.Mutex
	waiting map[int]chan struct{}
}

func (n *nursery) start(d daemon) (int, <-chan struct{}, error) {
	path, err := exec.LookPath(d.args[0])
	if err != nil {
		return 0, nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	n.mu.Lock() // the end of a process that is not yet in the map would be missed
	defer n.mu.Unlock()
	pid, err := syscall.ForkExec(path, d.args, &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: []uintptr{null.Fd(), d.log.Fd(), d.log.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, nil, err
	}
	ended := make(chan struct{})
	n.waiting[pid] = ended
	return pid, ended, nil
}

func (n *nursery) collect() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for range children {
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if err == syscall.EINTR {
				continue
			}
			if err != nil || pid <= 0 {
				break
			}
			n.mu.Lock()
			if ended, ok := n.waiting[pid]; ok {
				close(ended)
				delete(n.waiting, pid)
			}
			n.mu.Unlock()
		}
	}
}

// keep runs one daemon, again and again, until ctx ends; then it stops it.
func (n *nursery) keep(ctx context.Context, d daemon) {
	for pause := firstRestart; ctx.Err() == nil; pause = min(pause*2, lastRestart) {
		if err := d.ready(ctx); err != nil {
			continue // ctx ended
		}
		since := time.Now()
		pid, ended, err := n.start(d)
		if err != nil {
			fmt.Fprintf(d.log, "start %s: %v\n", d.name, err)
		} else {
			select {
			case <-ended:
				fmt.Fprintf(d.log, "%s ended after %s\n", d.name, time.Since(since).Round(time.Millisecond))
			case <-ctx.Done():
				stop(pid, ended)
				return
			}
		}
		if time.Since(since) > wellAfter {
			pause = firstRestart
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func stop(pid int, ended <-chan struct{}) {
	_ = unix.Kill(pid, unix.SIGTERM)
	select {
	case <-ended:
	case <-time.After(stopPatience):
		_ = unix.Kill(pid, unix.SIGKILL)
		<-ended
	}
}
