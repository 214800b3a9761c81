package link

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// maxPacket is the largest packet taken from a broker, in bytes after its fixed
// header. Brokers are set to carry at most 64 KiB (docs/operations.md); what lies
// between proto.MaxMessage and that is dropped without losing the connection.
const maxPacket = 64<<10 + 1<<10

// conn is a connection to the broker that checks the frame of every incoming
// packet (MQTT 3.1.1, 2.2) before the MQTT library sees it: the library would
// reserve up to 256 MB for a packet that a broker merely announces, panics on a
// SUBACK with surplus codes, and takes an unknown CONNACK code for success. Only
// what a broker may send to this client passes.
type conn struct {
	net.Conn
	frame frame
	heard bool // something was read, so the broker accepted the TLS session

	mu    sync.Mutex
	cause error // why cut was called
}

// Read passes on what has the right frame. Only one goroutine reads at a time.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if bad := c.frame.check(p[:n]); bad != nil {
		c.cut(bad)
		return 0, bad
	}
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

// frameError is a packet that a broker may not send.
type frameError struct{ what string }

func (e *frameError) Error() string { return "the broker sent " + e.what }

// The packets that a broker may send to a client that subscribes to one filter
// with QoS 0 and publishes with QoS 0 or 1, by first byte (type and flags) and
// remaining length. MQTT 3.1.1, 3.2 to 3.13.
const (
	connack      = 0x20
	publish      = 0x30 // QoS 0
	publishKept  = 0x31 // and retained
	puback       = 0x40
	suback       = 0x90
	pingresp     = 0xd0
	lastRefusal  = 5 // highest CONNACK return code
	maxLengthLen = 4 // bytes of a remaining length
)

// frame follows the fixed headers in a stream of bytes.
type frame struct {
	head    byte // type and flags of the packet at hand
	inBody  bool
	lengths int // bytes of the remaining length so far; 0 before the first
	started bool
	length  int // remaining length
	left    int // bytes of the body still to come
}

// check takes the next bytes of the stream.
func (f *frame) check(p []byte) error {
	for len(p) > 0 {
		if f.inBody {
			n := min(f.left, len(p))
			if err := f.body(p[:n]); err != nil {
				return err
			}
			p = p[n:]
			continue
		}
		if err := f.header(p[0]); err != nil {
			return err
		}
		p = p[1:]
	}
	return nil
}

// header takes one byte of a fixed header.
func (f *frame) header(b byte) error {
	if !f.started {
		*f = frame{head: b, started: true}
		return nil
	}
	f.length |= int(b&0x7f) << (7 * f.lengths)
	f.lengths++
	if b&0x80 != 0 {
		if f.lengths == maxLengthLen {
			return &frameError{"a malformed length"}
		}
		return nil
	}
	f.left, f.inBody = f.length, f.length > 0
	f.started = f.inBody
	return f.allowed()
}

func (f *frame) allowed() error {
	switch f.head {
	case publish, publishKept:
		if f.length > maxPacket {
			return &frameError{fmt.Sprintf("a packet of %d bytes, where at most %d are allowed", f.length, maxPacket)}
		}
		if f.length >= 2 {
			return nil
		}
	case connack, puback:
		if f.length == 2 {
			return nil
		}
	case suback:
		if f.length == 3 {
			return nil
		}
	case pingresp:
		if f.length == 0 {
			return nil
		}
	}
	return &frameError{fmt.Sprintf("an unexpected packet (first byte %#02x, length %d)", f.head, f.length)}
}

// body takes bytes of the packet after its header.
func (f *frame) body(p []byte) error {
	if f.head == connack && f.left == len(p) && p[len(p)-1] > lastRefusal {
		return &frameError{fmt.Sprintf("an unknown CONNACK code %d", p[len(p)-1])}
	}
	f.left -= len(p)
	f.inBody = f.left > 0
	f.started = f.inBody
	return nil
}
