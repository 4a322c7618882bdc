// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"clusterup.dev/clusterup/internal/converge"
)

// In plain output a running step speaks up when it has something new to say after
// quiet, and says the same thing again only after patience. What it says in
// between only changes the live line of a terminal.
const (
	quiet    = 5 * time.Second
	patience = 30 * time.Second
)

// Progress writes what happens to the steps: on a terminal a live line under
// the finished steps, elsewhere plain lines that a log can keep.
type Progress struct {
	mu      sync.Mutex
	w       io.Writer
	live    bool
	all     bool
	color   bool
	width   int // of the widest step name
	columns int // of the terminal
	started map[string]time.Time
	said    map[string]time.Time
	now     map[string]string // what each running step says
	last    map[string]string // what it last wrote a line about
	order   []string
	blocked []string
	clock   func() time.Time
}

// Terminal says what stderr is. The zero value is a file or a pipe.
type Terminal struct {
	Live    bool // lines may be rewritten
	All     bool // every new message is a line
	Color   bool
	Columns int
}

// NewProgress writes to w, with step names padded to the widest of steps.
func NewProgress(w io.Writer, t Terminal, steps []string) *Progress {
	p := &Progress{
		w: w, live: t.Live, all: t.All, color: t.Color, columns: max(t.Columns, 40), clock: time.Now,
		started: map[string]time.Time{}, said: map[string]time.Time{}, now: map[string]string{}, last: map[string]string{},
	}
	for _, s := range steps {
		p.width = max(p.width, len(s))
	}
	return p
}

// Event takes one event; it may be called from many goroutines.
func (p *Progress) Event(e converge.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case converge.Started:
		p.start(e.Step)
	case converge.Working:
		p.working(e)
	case converge.Done:
		p.finish(e, "✓", green)
	case converge.Failed:
		p.finish(e, "✗", red)
	case converge.Blocked:
		p.forget(e.Step)
		p.blocked = append(p.blocked, e.Step)
	case converge.Unchanged:
		p.forget(e.Step)
	}
	p.draw()
}

func (p *Progress) start(step string) {
	if _, running := p.started[step]; !running {
		p.started[step] = p.clock()
		p.said[step] = p.clock()
		p.order = append(p.order, step)
	}
}

func (p *Progress) working(e converge.Event) {
	p.start(e.Step)
	p.now[e.Step] = e.Message
	if p.speaksUp(e) {
		p.said[e.Step], p.last[e.Step] = p.clock(), e.Message
		fmt.Fprintf(p.w, "  … %-*s  %s\n", p.width, e.Step, e.Message)
	}
}

func (p *Progress) speaksUp(e converge.Event) bool {
	news, silence := p.last[e.Step] != e.Message, p.clock().Sub(p.said[e.Step])
	switch {
	case p.all:
		return news
	case p.live:
		return false
	}
	return news && silence >= quiet || silence >= patience
}

func (p *Progress) finish(e converge.Event, mark, color string) {
	p.forget(e.Step)
	p.clear()
	took := ""
	if e.Took > 0 {
		took = Seconds(e.Took)
	}
	line := fmt.Sprintf("  %s %-*s  %6s", p.paint(mark, color), p.width, e.Step, took)
	fmt.Fprintln(p.w, strings.TrimRight(line, " "))
}

// End clears the live line and names, in one line, the steps that were kept back.
func (p *Progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if len(p.blocked) > 0 {
		fmt.Fprintf(p.w, "  %s not done: %s\n", p.paint("-", yellow), strings.Join(p.blocked, ", "))
	}
}

func (p *Progress) forget(step string) {
	delete(p.started, step)
	delete(p.now, step)
	for i, s := range p.order {
		if s == step {
			p.order = append(p.order[:i], p.order[i+1:]...)
			break
		}
	}
}

// draw rewrites the live line: the steps under way and what the oldest says.
func (p *Progress) draw() {
	if !p.live {
		return
	}
	p.clear()
	if len(p.order) == 0 {
		return
	}
	oldest := p.order[0]
	line := fmt.Sprintf("  … %s %s", oldest, Seconds(p.clock().Sub(p.started[oldest])))
	if said := p.now[oldest]; said != "" {
		line += "  " + said
	}
	if more := len(p.order) - 1; more > 0 {
		line += fmt.Sprintf("  (and %d more)", more)
	}
	if runes := []rune(line); len(runes) > p.columns-1 {
		line = string(runes[:p.columns-2]) + "…"
	}
	fmt.Fprint(p.w, line)
}

func (p *Progress) clear() {
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// Seconds writes a duration as users read it: "0.3s", "41.2s", "3m04s".
func Seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

const (
	green  = "32"
	red    = "31"
	yellow = "33"
)

func (p *Progress) paint(s, color string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}
