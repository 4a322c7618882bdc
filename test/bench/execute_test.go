// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command is a program that is measured from outside.
type command struct {
	path string
	args []string
	env  []string
	dir  string
	fine int // an exit code that is no failure, besides 0
}

// output is what a command said and took.
type output struct {
	stdout  []byte
	seconds float64
	peakKB  int
}

func (o output) result() result {
	return result{Seconds: o.seconds, PeakKB: o.peakKB}
}

// memoryEvery is how often the memory of a command is looked at: its highest
// mark is gone with the process.
const memoryEvery = 5 * time.Millisecond

func execute(ctx context.Context, c command) (output, error) {
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env, cmd.Dir = append(os.Environ(), c.env...), c.dir
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return output{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(memoryEvery)
	defer look.Stop()
	out, pid := output{}, strconv.Itoa(cmd.Process.Pid)
	for {
		select {
		case <-look.C:
			if kB, err := peak(pid); err == nil {
				out.peakKB = max(out.peakKB, kB)
			}
			continue
		case err := <-ended:
			out.seconds, out.stdout = time.Since(start).Seconds(), stdout.Bytes()
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() == c.fine {
				err = nil
			}
			if err != nil {
				err = fmt.Errorf("%w: %s", err, lastWords(stderr.String()))
			}
			return out, err
		}
	}
}

// lastWords are the end of what a program that failed has said.
func lastWords(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(text), " ")
	return text[max(0, len(text)-most):]
}
