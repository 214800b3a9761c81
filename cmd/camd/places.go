package main

import (
	"net"
	"slices"
	"sync"
)

// Bounds of the places at the local socket. docs/protocol.md 10.1.
const (
	adminIdle = 8 // connections that have sent no command yet
	adminEach = 4 // that have sent the same command
)

// places bounds the local connections so that none keeps another command out: who has
// said nothing makes way, the longest first, and each command has places of its own.
type places struct {
	mu   sync.Mutex
	idle []net.Conn // the oldest first
	busy map[string]int
}

// enter takes in a connection. It returns the one that has to go for it, or nil.
func (p *places) enter(c net.Conn) (oldest net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
	if len(p.idle) > adminIdle {
		oldest = p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	return oldest
}

// begin reports whether a connection may have its command carried out; then end must
// follow. One that had to go in this moment may not: it was told so.
func (p *places) begin(c net.Conn, cmd string) bool {
	if !p.leave(c) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy == nil {
		p.busy = map[string]int{}
	}
	if p.busy[cmd] >= adminEach {
		return false
	}
	p.busy[cmd]++
	return true
}

// end gives back what begin took.
func (p *places) end(cmd string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[cmd]--; p.busy[cmd] == 0 {
		delete(p.busy, cmd)
	}
}

// leave forgets a connection that has sent no command, and reports whether it had not
// gone yet.
func (p *places) leave(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	return i >= 0
}
