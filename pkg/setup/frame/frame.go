// Package frame cuts the messages of the set-up conversation into values that a GATT
// characteristic takes, and joins them again. It does no I/O, and knows neither what is in
// a message nor who sends it. A Reader refuses whatever a Writer does not make.
//
// docs/protocol.md 14.4 describes the frames.
package frame

import (
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
)

// The first byte of a frame: two flags, and the frame's number, which goes on over all
// messages of a conversation and begins again at 0 after 63.
const (
	First   = 1 << 7 // the message begins
	Last    = 1 << 6 // the message ends
	numbers = 1 << 6

	head = 1 // bytes
)

// Sizes of frames in bytes, the first byte included.
const (
	MinSize = 20  // fits ATT's smallest MTU of 23
	MaxSize = 500 // an attribute's value may have 512, of which BlueZ 5.66 takes 510

	overhead = 3 // of ATT in a write request
)

// Size returns how long a frame may be where ATT packets have at most mtu bytes. What is
// read is kept as short as what is written, so that no reader asks for a rest.
func Size(mtu int) int { return min(max(mtu-overhead, MinSize), MaxSize) }

// ErrFrame is the error for a frame that is malformed or not the next one. The
// conversation is over with it: what is lost can't be asked for again.
var ErrFrame = errors.New("frame is malformed or out of order")

// Writer makes frames of messages. The zero Writer begins a conversation.
type Writer struct {
	rest   []byte
	begun  bool // of the message the first frame is made
	number byte
}

// Load takes the next message, of 1 to proto.MaxMessage bytes, once the one before is done.
func (w *Writer) Load(message []byte) { w.rest, w.begun = message, false }

// Done reports whether no frame of the message is left.
func (w *Writer) Done() bool { return len(w.rest) == 0 }

// Next makes the next frame of the message, of at most size bytes.
func (w *Writer) Next(size int) []byte {
	n := min(len(w.rest), size-head)
	flags := w.number
	if !w.begun {
		flags |= First
	}
	if n == len(w.rest) {
		flags |= Last
	}
	f := append(append(make([]byte, 0, head+n), flags), w.rest[:n]...)
	w.rest, w.begun, w.number = w.rest[n:], true, (w.number+1)%numbers
	return f
}

// Reader joins frames. The zero Reader begins a conversation.
type Reader struct {
	message []byte
	begun   bool
	number  byte
}

// Add takes the next frame, and returns the message if that was its last one, else nil.
func (r *Reader) Add(f []byte) ([]byte, error) {
	if len(f) <= head || len(f) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrFrame, len(f))
	}
	first, last, number := f[0]&First != 0, f[0]&Last != 0, f[0]%numbers
	switch {
	case number != r.number:
		return nil, fmt.Errorf("%w: number %d instead of %d", ErrFrame, number, r.number)
	case first == r.begun:
		return nil, fmt.Errorf("%w: a message begins within another, or none has begun", ErrFrame)
	case len(r.message)+len(f)-head > proto.MaxMessage:
		return nil, fmt.Errorf("%w: message of more than %d bytes", ErrFrame, proto.MaxMessage)
	}
	r.message, r.begun, r.number = append(r.message, f[head:]...), true, (number+1)%numbers
	if !last {
		return nil, nil
	}
	whole := r.message
	r.message, r.begun = nil, false
	return whole, nil
}
