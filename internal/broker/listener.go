package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

const (
	handshakeTime = 10 * time.Second
	acceptPause   = 100 * time.Millisecond // after a failed accept, such as no free descriptor
)

// listener accepts connections for mochi. Unlike mochi's own it does the TLS handshake, so that
// nothing reaches MQTT without a verified identity. It also knows every connection, so that
// Close can end those that are not a session yet.
type listener struct {
	tcp    net.Listener
	config *tls.Config
	log    *slog.Logger
	served chan struct{} // closed when Serve has returned

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	wg     sync.WaitGroup // one for each connection in open
}

func newListener(tcp net.Listener, config *tls.Config, log *slog.Logger) *listener {
	return &listener{tcp: tcp, config: config, log: log, served: make(chan struct{}), open: map[net.Conn]struct{}{}}
}

func (l *listener) Init(*slog.Logger) error { return nil }
func (l *listener) ID() string              { return "mutual-tls" }
func (l *listener) Protocol() string        { return "tls" }
func (l *listener) Address() string         { return l.tcp.Addr().String() }

// Serve accepts until Close.
func (l *listener) Serve(establish listeners.EstablishFn) {
	defer close(l.served)
	for {
		raw, err := l.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			l.log.Warn("accept failed", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		if !l.add(raw) {
			_ = raw.Close()
			continue
		}
		go func() {
			defer l.remove(raw)
			l.serve(raw, establish)
		}()
	}
}

// Close closes the listener and every connection. mochi's function, which ends clients one by
// one, is not needed.
func (l *listener) Close(listeners.CloseFn) {
	_ = l.tcp.Close()
	<-l.served
	l.mu.Lock()
	l.closed = true
	for c := range l.open {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
}

func (l *listener) add(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.open) >= maxConnections {
		return false
	}
	l.open[c] = struct{}{}
	l.wg.Add(1)
	return true
}

func (l *listener) remove(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
	l.wg.Done()
}

// serve serves one connection: its handshake and its MQTT session.
func (l *listener) serve(raw net.Conn, establish listeners.EstablishFn) {
	remote := raw.RemoteAddr().String()
	t := tls.Server(raw, l.config)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	err := t.HandshakeContext(ctx)
	cancel()
	if err != nil {
		l.log.Warn("TLS handshake refused", "remote", remote, "error", err)
		return
	}
	who, err := identify(t.ConnectionState().VerifiedChains[0][0])
	if err != nil {
		l.log.Warn("certificate refused", "remote", remote, "error", err)
		_ = t.Close()
		return
	}
	c := &conn{Conn: t, who: who, release: func() {}, done: make(chan struct{})}
	err = establish(l.ID(), c)
	c.release()
	close(c.done)
	l.log.Debug("client gone", "remote", remote, "who", who, "error", err)
}

// conn is a connection with its holder.
type conn struct {
	net.Conn
	who     identity      // by certificate; over WebSocket rules set it when the client logs in
	release func()        // set by rules when a session begins
	done    chan struct{} // closed when mochi and rules do not use the connection any more
}
