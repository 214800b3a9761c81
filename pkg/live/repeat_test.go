package live

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/media"
)

// nonce is what AES-GCM's is made from (RFC 7714 section 8.1): the rollover counter and
// the number of a source's packet.
type nonce struct {
	source uint32
	index  uint64
}

// sealer records what SRTP would seal.
type sealer struct {
	newest  map[uint32]uint64
	packets map[nonce][]byte
}

func newSealer() *sealer { return &sealer{map[uint32]uint64{}, map[nonce][]byte{}} }

// add fails if another packet has been sealed under the nonce of p. It reports whether p
// itself has.
func (s *sealer) add(t *testing.T, p []byte) (again bool) {
	t.Helper()
	source, wire := binary.BigEndian.Uint32(p[8:]), binary.BigEndian.Uint16(p[2:])
	newest, known := s.newest[source]
	if !known {
		newest = 1<<16 + uint64(wire)
	}
	index := newest + uint64(int64(int16(wire-uint16(newest)))) // RFC 3711 section 3.3.1
	s.newest[source] = max(newest, index)
	n := nonce{source, index}
	first, again := s.packets[n]
	if again && !bytes.Equal(first, p) {
		t.Fatalf("source %d, packet %d: %x is sealed after %x", source, index, p[:24], first[:24])
	}
	s.packets[n] = p
	return again
}

// TestNoNonceSealsTwoPackets sends for a long time to viewers that ask for packets again,
// are too slow now and then, and are sent padding.
func TestNoNonceSealsTwoPackets(t *testing.T) {
	for name, rtx := range map[string]bool{"by RTX": true, "under the first number": false} {
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // a test
			b := packets.New(90000, true)
			w := &wire{}
			v := testViewer(w, b)
			v.numbered(t, rtx)
			v.near.Store(true)
			v.tracks[0].cursor.Join(false)
			s := newSealer()
			now := media.Now()
			again := 0
			for i := range 10000 {
				now += 33 * time.Millisecond
				frame(b, now, i%60 == 0, 1+rnd.IntN(20), 100)
				if i%1000 < 100 { // the viewer is blocked
					continue
				}
				for range rnd.IntN(5) {
					v.nacks <- uint16(v.tracks[0].cursor.Sequence()) - uint16(rnd.IntN(2000))
				}
				v.turn(t.Context(), now)
				if rnd.IntN(4) == 0 {
					v.tracks[0].pad(now)
				}
				v.repeats = v.allowedRepeats()
				for _, p := range w.packets {
					if s.add(t, p) {
						again++
					}
				}
				w.packets, w.headers, w.first = nil, nil, nil
			}
			if n := v.counters.resent.Load(); n < 1000 {
				t.Errorf("only %d packets were sent again", n)
			}
			if v.counters.skips.Load() == 0 {
				t.Error("the viewer never skipped")
			}
			if (again > 0) == rtx {
				t.Errorf("%d times the same packet left again", again)
			}
			if s.newest[1] < 2<<16 {
				t.Error("the numbers never rolled over")
			}
		})
	}
}

func TestRTXRepeatsThePacket(t *testing.T) {
	b := packets.New(90000, true)
	w := &wire{}
	v := testViewer(w, b)
	v.numbered(t, true)
	now := media.Now()
	frame(b, now, true, 5, 100)
	v.tracks[0].cursor.Join(false)
	track := v.tracks[0]
	for seq, ok := track.cursor.Next(&track.packet); ok; seq, ok = track.cursor.Next(&track.packet) {
		track.send(now, &track.packet, seq)
	}
	first := w.packets[4]
	track.resend(now, now, binary.BigEndian.Uint16(first[2:]))
	track.pad(now)
	if len(w.packets) != 7 {
		t.Fatalf("%d packets, want 5, one again, and one of padding", len(w.packets))
	}
	const header = 20 // with the extension
	number := func(p []byte) uint16 { return binary.BigEndian.Uint16(p[17:]) }
	for i, p := range w.packets[5:] {
		again := w.headers[5+i]
		if again.SSRC != 2 || again.PayloadType != 97 || again.Timestamp != w.headers[4].Timestamp || again.Marker != w.headers[4].Marker {
			t.Errorf("header %+v after %+v", again, w.headers[4])
		}
		if !bytes.Equal(p[header:header+2], first[2:4]) || !bytes.Equal(p[header+2:], first[header:]) {
			t.Errorf("payload %x, want the number and %x", p[header:], first[header:])
		}
		if got, want := number(p), number(first)+1+uint16(i); got != want {
			t.Errorf("transport-wide number %d, want %d", got, want)
		}
	}
	if w.headers[6].SequenceNumber != w.headers[5].SequenceNumber+1 || w.headers[5].SequenceNumber > 1<<15 {
		t.Errorf("numbers %d and %d of RTX", w.headers[5].SequenceNumber, w.headers[6].SequenceNumber)
	}
}
