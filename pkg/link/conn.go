package link

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/link/mqttframe"
)

// conn is a connection to the broker that knows why it ended.
type conn struct {
	net.Conn      // a mqttframe.Conn
	heard    bool // something was read, so the broker accepted the TLS session

	mu    sync.Mutex
	cause error // why cut was called
}

// newConn checks every packet that comes over t.
func newConn(t net.Conn) *conn {
	c := &conn{}
	c.Conn = &mqttframe.Conn{Conn: t, Refuse: c.cut}
	return c
}

// Read tells why nothing comes any more. Only one goroutine reads at a time.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		err = c.explainRead(err)
	}
	if n > 0 && !c.heard { // set before the library reads and writes at once
		c.heard = true
	}
	return n, err
}

// Write is bounded in time, so that a connection that takes nothing more holds
// nobody up.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if err != nil && !c.heard {
		// In TLS 1.3 a broker refuses the client's certificate after the client
		// has begun to write; its reason can still be read.
		if reason := c.pendingAlert(); reason != nil {
			err = reason
		}
	}
	return n, err
}

// pendingAlert reads the broker's reason. Until the first packet has come, the
// library doesn't read while it writes.
func (c *conn) pendingAlert() error {
	if c.SetReadDeadline(time.Now().Add(time.Second)) != nil {
		return nil //nolint:nilerr // the connection is gone, and with it the reason
	}
	var b [1]byte
	if _, err := c.Conn.Read(b[:]); alertCode(err) != 0 {
		return c.explainRead(err)
	}
	return nil
}

// cut ends the connection for a reason, which the reader gets.
func (c *conn) cut(why error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = why
	}
	c.mu.Unlock()
	_ = c.Close()
}

func (c *conn) explainRead(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	if !c.heard {
		return fmt.Errorf("%w: %w", errConnect, err)
	}
	return err
}
