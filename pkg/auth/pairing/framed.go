package pairing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/camd-project/camd/pkg/proto"
)

// Conn carries whole messages of at most proto.MaxMessage bytes, in order. If it
// has a Close method, the end of ctx calls it.
type Conn interface {
	ReadMessage() ([]byte, error)
	WriteMessage([]byte) error
}

// lengthLen is the size of a frame's length field.
const lengthLen = 4

// NewFramed carries messages over a byte stream: each is its length in 4 bytes,
// big-endian, and then itself. Closing it closes rw if rw can be closed.
// docs/protocol.md 3.4.
func NewFramed(rw io.ReadWriter) Conn { return framed{rw} }

type framed struct{ rw io.ReadWriter }

func (f framed) ReadMessage() ([]byte, error) {
	var head [lengthLen]byte
	if _, err := io.ReadFull(f.rw, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > proto.MaxMessage { // before anything is allocated for it
		return nil, fmt.Errorf("%w: frame of %d bytes", ErrProtocol, n)
	}
	msg := make([]byte, n)
	if _, err := io.ReadFull(f.rw, msg); err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	return msg, nil
}

func (f framed) WriteMessage(msg []byte) error {
	if len(msg) == 0 || len(msg) > proto.MaxMessage {
		return fmt.Errorf("%w: frame of %d bytes", ErrProtocol, len(msg))
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, lengthLen+len(msg)), uint32(len(msg)))
	_, err := f.rw.Write(append(frame, msg...))
	return err
}

// Close ends a blocked read or write.
func (f framed) Close() error {
	if c, ok := f.rw.(io.Closer); ok {
		return c.Close()
	}
	return errors.New("stream can't be closed")
}
