// Package health keeps the named conditions of camd's parts: what works, what does not, why,
// and since when. It owns the only list of them, which the status answer and `camd status`
// read. Setting a condition never blocks.
package health

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
)

// State is the state of a part.
type State string

// The states, from good to bad.
const (
	OK       State = "ok"       // works
	Starting State = "starting" // not yet known
	Degraded State = "degraded" // works in part; Reason says what is missing
	Failed   State = "failed"   // does not work; it is tried again
)

// Status is the condition of one part.
type Status struct {
	Name   string
	State  State
	Reason string // a sentence for people, empty when all is well
	Since  time.Time
}

// Board holds the conditions of one daemon. It is safe for concurrent use.
type Board struct {
	log *slog.Logger

	mu    sync.Mutex
	parts []*Condition
}

// NewBoard returns an empty board. Each change of a condition is logged once.
func NewBoard(log *slog.Logger) *Board { return &Board{log: log} }

// Condition is the condition of one part on the board.
type Condition struct {
	board  *Board
	status Status // guarded by board.mu
}

// Condition adds a part in state Starting.
func (b *Board) Condition(name string) *Condition {
	c := &Condition{board: b, status: Status{Name: name, State: Starting, Since: time.Now()}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parts = append(b.parts, c)
	return c
}

// Set sets the state of the part. reason is a sentence that a person can act on; foreign text
// in it is made harmless here. Setting the same again changes nothing, not even Since.
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

// Status returns the part's status.
func (c *Condition) Status() Status {
	c.board.mu.Lock()
	defer c.board.mu.Unlock()
	return c.status
}

// Snapshot returns the status of every part, sorted by name.
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
