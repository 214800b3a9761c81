package main

import (
	"net"
	"slices"
	"sync"
)

// How many connections the local socket takes. docs/protocol.md 10.1.
const (
	adminIdle = 8 // connections that have sent no command yet
	adminEach = 4 // that have sent the same command
)

// connLimit limits the local connections so that none keeps another command out: a
// connection that has sent nothing makes way for a new one, the oldest first, and each
// command has a limit of its own.
type connLimit struct {
	mu   sync.Mutex
	idle []net.Conn // the oldest first
	busy map[string]int
}

// add adds a connection, and returns the one that has to be closed for it, or nil.
func (l *connLimit) add(c net.Conn) (oldest net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, c)
	if len(l.idle) > adminIdle {
		oldest = l.idle[0]
		l.idle = slices.Delete(l.idle, 0, 1)
	}
	return oldest
}

// begin reports whether the command of a connection may be carried out; then end must be
// called after it. It may not if add has just returned the connection.
func (l *connLimit) begin(c net.Conn, cmd string) bool {
	if !l.remove(c) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy == nil {
		l.busy = map[string]int{}
	}
	if l.busy[cmd] >= adminEach {
		return false
	}
	l.busy[cmd]++
	return true
}

// end is called when a command has been carried out.
func (l *connLimit) end(cmd string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[cmd]--; l.busy[cmd] == 0 {
		delete(l.busy, cmd)
	}
}

// remove removes a connection that has sent no command, and reports whether it was still
// there.
func (l *connLimit) remove(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.idle, c)
	if i >= 0 {
		l.idle = slices.Delete(l.idle, i, i+1)
	}
	return i >= 0
}
