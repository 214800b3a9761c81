// Package health keeps the named conditions of camd's parts: what works, what
// doesn't, why, and since when. It owns the only list of them, which the status
// answer and `camd status` read. Setting a condition never blocks.
package health

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
)

// State is how a part is.
type State string

// The states, from good to bad.
const (
	OK       State = "ok"       // works
	Starting State = "starting" // not yet known
	Degraded State = "degraded" // works with a loss that Reason names
	Failed   State = "failed"   // does not work; it is being tried again
)

// Status is one part's condition at a moment.
type Status struct {
	Name   string
	State  State
	Reason string // a sentence for people, empty when all is well
	Since  time.Time
}

// Board holds the conditions of one daemon.
type Board struct {
	log *slog.Logger

	mu    sync.Mutex
	parts []*Condition
}

// NewBoard makes an empty board. Each change of a condition is logged once.
func NewBoard(log *slog.Logger) *Board { return &Board{log: log} }

// Condition is one part's place on the board.
type Condition struct {
	board  *Board
	status Status // guarded by board.mu
}

// Condition adds a part, in state Starting.
func (b *Board) Condition(name string) *Condition {
	c := &Condition{board: b, status: Status{Name: name, State: Starting, Since: time.Now()}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts = append(b.parts, c)
	return c
}

// Set puts the part in a state. reason is a sentence that a person can act on; what
// others wrote in it becomes harmless here.
// Setting what is already set changes nothing, Since included.
func (c *Condition) Set(s State, reason string) {
	b := c.board
	reason = foreign.Line(reason)
	b.mu.Lock()
	same := c.status.State == s && c.status.Reason == reason
	if !same {
		c.status.State, c.status.Reason, c.status.Since = s, reason, time.Now()
	}
	b.mu.Unlock()
	if same {
		return
	}
	log := b.log.Info
	if s == Degraded || s == Failed {
		log = b.log.Warn
	}
	log("condition changed", "part", c.status.Name, "state", string(s), "reason", reason)
}

// Status reads the part's condition.
func (c *Condition) Status() Status {
	c.board.mu.Lock()
	defer c.board.mu.Unlock()
	return c.status
}

// Snapshot lists every condition by name.
func (b *Board) Snapshot() []Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := make([]Status, len(b.parts))
	for i, c := range b.parts {
		l[i] = c.status
	}
	slices.SortFunc(l, func(x, y Status) int { return strings.Compare(x.Name, y.Name) })
	return l
}
