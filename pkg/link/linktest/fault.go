package linktest

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy passes TCP connections on to a broker until a test makes it misbehave.
type Proxy struct {
	listener net.Listener
	target   string
	accepted atomic.Int64
	slow     atomic.Bool

	mu     sync.Mutex
	pipes  map[*pipe]struct{}
	closed bool
	wg     sync.WaitGroup
}

// NewProxy starts a proxy before target (host:port).
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	p := &Proxy{listener: listen(tb), target: target, pipes: map[*pipe]struct{}{}}
	p.wg.Go(p.accept)
	tb.Cleanup(p.end)
	return p
}

// Address returns the host:port that the proxy listens on.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Accepted counts the connections so far.
func (p *Proxy) Accepted() int { return int(p.accepted.Load()) }

// Drop closes the connections that are open now.
func (p *Proxy) Drop() { p.each((*pipe).close) }

// Hold makes the connections that are open now half-open: nothing passes in
// either direction any more, and neither end notices.
func (p *Proxy) Hold() { p.each(func(q *pipe) { q.held.Store(true) }) }

// Slow makes the way to the broker a thin one: what is sent backs up at the sender, but
// goes on moving.
func (p *Proxy) Slow(on bool) { p.slow.Store(on) }

func (p *Proxy) each(do func(*pipe)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for q := range p.pipes {
		do(q)
	}
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		_ = near.(*net.TCPConn).SetReadBuffer(64 << 10) // else a slow way shows late
		far, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		q := &pipe{near: near, far: far}
		p.mu.Lock()
		p.pipes[q] = struct{}{}
		if p.closed {
			q.close()
		}
		p.mu.Unlock()
		p.wg.Go(func() { p.run(q) })
	}
}

func (p *Proxy) run(q *pipe) {
	var both sync.WaitGroup
	both.Go(func() { q.pump(q.near, q.far, 32<<10, nil) })
	both.Go(func() { q.pump(q.far, q.near, 1<<10, &p.slow) })
	both.Wait()
	p.mu.Lock()
	delete(p.pipes, q)
	p.mu.Unlock()
}

func (p *Proxy) end() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Drop()
	p.wg.Wait()
}

// pipe is one connection and what it is passed on to.
type pipe struct {
	near, far net.Conn
	held      atomic.Bool
}

func (q *pipe) close() {
	_ = q.near.Close()
	_ = q.far.Close()
}

// pump copies until an end closes. A held pipe swallows bytes and, when one end
// closes, does not tell the other: that one is closed by Drop or by the proxy's end.
func (q *pipe) pump(to, from net.Conn, size int, slow *atomic.Bool) {
	buf := make([]byte, size)
	for {
		n, err := from.Read(buf)
		if slow != nil && slow.Load() {
			time.Sleep(20 * time.Millisecond)
		}
		if q.held.Load() {
			if err != nil {
				return
			}
			continue
		}
		if err == nil {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			q.close()
			return
		}
	}
}

// Script returns a broker that does what talk says with each connection, after a TLS
// handshake. It returns its host:port.
func Script(tb testing.TB, cfg *tls.Config, talk func(net.Conn)) string {
	tb.Helper()
	l := listen(tb)
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]struct{}{}
	wg.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[raw] = struct{}{}
			mu.Unlock()
			wg.Go(func() {
				c := tls.Server(raw, cfg)
				if c.Handshake() == nil {
					talk(c)
				}
				_ = c.Close()
			})
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}
