package link

import (
	"cmp"
	"net"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/link/mqttframe"
	"github.com/camd-project/camd/pkg/link/tlsend"
)

// conn is a connection to the broker that knows why it ended.
type conn struct {
	net.Conn // a mqttframe.Conn, which checks every packet
	by       *dialer

	mu    sync.Mutex
	cause error // why cut was called
}

func newConn(by *dialer, t net.Conn) *conn {
	c := &conn{by: by}
	c.Conn = &mqttframe.Conn{Conn: &tlsend.Conn{Conn: t}, Refuse: c.cut}
	return c
}

// Read returns the reason of cut, if that ended the connection.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil {
		return n, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return n, cmp.Or(c.cause, err)
}

// Write is bounded in time, so that a stuck connection blocks nobody.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// cut closes the connection. Read returns why.
func (c *conn) cut(why error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = why
	}
	c.mu.Unlock()
	_ = c.Close()
}
