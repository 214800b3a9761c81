package client

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/rtc"
)

// maxRepairs is how many packets that came again wait for their stream's reader.
const maxRepairs = 512

// repairs is an interceptor that puts packets which come again by RTX (RFC 4588) back
// into the stream of pictures. pion does that after its interceptors, so that its NACK
// generator would go on asking for them.
type repairs struct {
	interceptor.NoOp
	types map[uint8]uint8 // payload types of RTX, and what they repeat

	mu      sync.Mutex
	waiting [][]byte
	begun   bool   // a picture's packet has been read
	newest  uint16 // number of the newest of those
}

// repairFactory makes one for each PeerConnection. It lists the formats that are offered.
type repairFactory []rtc.H264

// NewInterceptor implements interceptor.Factory.
func (f repairFactory) NewInterceptor(string) (interceptor.Interceptor, error) {
	r := &repairs{types: map[uint8]uint8{}}
	for _, x := range f {
		r.types[x.RTX] = x.PayloadType
	}
	return r, nil
}

// BindRemoteStream implements interceptor.Interceptor.
func (r *repairs) BindRemoteStream(info *interceptor.StreamInfo, reader interceptor.RTPReader) interceptor.RTPReader {
	switch {
	case strings.EqualFold(info.MimeType, webrtc.MimeTypeRTX):
		return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
			n, a, err := reader.Read(b, a)
			if err == nil {
				r.put(b[:n])
			}
			return 0, a, err // pion leaves an empty packet out
		})
	case strings.HasPrefix(info.MimeType, "video/"):
		return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
			if n := r.take(b, info.SSRC); n > 0 {
				return n, nil, nil
			}
			n, a, err := reader.Read(b, a)
			if err == nil && n >= 12 {
				r.follow(binary.BigEndian.Uint16(b[2:]))
			}
			return n, a, err
		})
	}
	return reader
}

// put keeps what a packet of RTX repeats.
func (r *repairs) put(p []byte) {
	first, ok := original(p, r.types)
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok && len(r.waiting) < maxRepairs {
		r.waiting = append(r.waiting, bytes.Clone(first))
	}
}

// follow notes that a packet has been read in its own stream.
func (r *repairs) follow(number uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.begun || int16(number-r.newest) > 0 {
		r.begun, r.newest = true, number
	}
}

// take gives the next packet that came again, as one of its source; 0: there is none, or
// the stream has not come so far. (The camera repeats what it has just sent to find out
// what the path carries. A receiver must not begin there.)
func (r *repairs) take(b []byte, source uint32) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 || !r.begun {
		return 0
	}
	p := r.waiting[0]
	if int16(binary.BigEndian.Uint16(p[2:])-r.newest) > 0 {
		return 0
	}
	r.waiting = r.waiting[1:]
	binary.BigEndian.PutUint32(p[8:], source)
	return copy(b, p)
}

// original makes the packet that one of RTX repeats (RFC 4588 section 4), in place, all
// but its source.
func original(p []byte, types map[uint8]uint8) ([]byte, bool) {
	if len(p) < 12 {
		return nil, false
	}
	repeated, ok := types[p[1]&0x7f]
	header := 12 + 4*int(p[0]&0xf)
	if p[0]&0x10 != 0 {
		if len(p) < header+4 {
			return nil, false
		}
		header += 4 + 4*int(binary.BigEndian.Uint16(p[header+2:]))
	}
	if !ok || len(p) < header+2 || p[0]&0x20 != 0 && len(p)-int(p[len(p)-1]) < header+2 {
		return nil, false // perhaps nothing but padding
	}
	p[1] = p[1]&0x80 | repeated
	copy(p[2:4], p[header:])
	return append(p[:header], p[header+2:]...), true
}
