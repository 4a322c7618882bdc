// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// commandLines are all distinct command lines that were seen on this machine
// while clusterup ran, whoever started them: what clusterup starts may outlive it
// and be nobody's child.
type commandLines struct {
	mu    sync.Mutex
	lines map[string]bool
	looks map[string]int // how often each process was met that is still there
}

// glance is how often the processes are looked at. What ends sooner may be missed.
const glance = 100 * time.Millisecond

// during looks until the function that it gives back is called.
func (c *commandLines) during() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ticks := time.NewTicker(glance); ; {
			c.look()
			select {
			case <-ctx.Done():
				ticks.Stop()
				return
			case <-ticks.C:
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// look reads what is new: a process changes its command line, if at all, soon
// after it began, so older ones are only read now and then.
func (c *commandLines) look() {
	const young, seldom = 5, 20
	paths, _ := filepath.Glob("/proc/[0-9]*")
	c.mu.Lock()
	defer c.mu.Unlock()
	looks := make(map[string]int, len(paths))
	for _, path := range paths {
		n := c.looks[path]
		looks[path] = n + 1
		if n >= young && n%seldom != 0 {
			continue
		}
		if line, err := os.ReadFile(path + "/cmdline"); err == nil && len(line) > 0 { // kernel threads have none
			c.lines[string(line)] = true
		}
	}
	c.looks = looks
}

func (c *commandLines) all() []string {
	c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.lines))
}

// watched runs a command to its end and looks at all processes meanwhile. What is
// done while it runs comes back before it is waited for.
func (w *world) watched(c *exec.Cmd, meanwhile func()) error {
	if err := c.Start(); err != nil {
		return err
	}
	defer w.seen.during()()
	meanwhile()
	return c.Wait()
}
