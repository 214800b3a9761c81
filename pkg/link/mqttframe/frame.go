// Package mqttframe checks the frame of every packet from a broker before the MQTT library
// sees it. Neither camd nor its clients trust a broker: the library would reserve up to 256 MB
// for a packet that a broker only announces, panics on a SUBACK with surplus codes, and takes an
// unknown CONNACK code for success. Only packets that a broker may send to this side pass.
package mqttframe

import (
	"fmt"
	"net"
)

// MaxPacket is the largest packet taken from a broker, in bytes after its fixed
// header. Brokers are configured for at most 64 KiB (docs/operations.md); a message between
// proto.MaxMessage and that is dropped without losing the connection.
const MaxPacket = 64<<10 + 1<<10

// Conn is a connection to a broker. Each subscription that it carries is of one
// filter with QoS 0. MQTT 3.1.1, 2.2.
type Conn struct {
	net.Conn
	Refuse func(error) // called with the reason before Read returns it

	frame frame
}

// Read returns only bytes of valid frames. Only one goroutine may read at a time.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if bad := c.frame.check(p[:n]); bad != nil {
		c.Refuse(bad)
		_ = c.Close()
		return 0, bad
	}
	return n, err
}

// Error is a packet that a broker may not send.
type Error struct{ What string }

func (e *Error) Error() string { return "the broker sent " + e.What }

// The packets that a broker may send to who subscribes to one filter at a time
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
		if !f.inBody {
			if err := f.header(p[0]); err != nil {
				return err
			}
			p = p[1:]
			continue
		}
		n := min(f.left, len(p))
		if f.head == connack && f.left == n && p[n-1] > lastRefusal {
			return &Error{fmt.Sprintf("an unknown CONNACK code %d", p[n-1])}
		}
		f.left -= n
		f.inBody = f.left > 0
		f.started = f.inBody
		p = p[n:]
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
			return &Error{"a malformed length"}
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
		if f.length > MaxPacket {
			return &Error{fmt.Sprintf("a packet of %d bytes, where at most %d are allowed", f.length, MaxPacket)}
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
	return &Error{fmt.Sprintf("an unexpected packet (first byte %#02x, length %d)", f.head, f.length)}
}
