package receive

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/client/receive/receivetest"
)

// arrival is a packet's sequence number and when it comes.
type arrival struct {
	number uint16
	at     time.Duration
}

// play returns the numbers handed over; one after a gap is followed by gapMark.
const gapMark = -1

func play(r *reorder, l []arrival) []int {
	var got []int
	start := time.Unix(0, 0)
	for _, a := range l {
		p := &rtp.Packet{Header: rtp.Header{SequenceNumber: a.number}}
		r.push(p, start.Add(a.at), func(p *rtp.Packet, gap bool) {
			if gap {
				got = append(got, gapMark)
			}
			got = append(got, int(p.SequenceNumber))
		})
	}
	return got
}

func TestReorder(t *testing.T) {
	const over = reorderWait + time.Millisecond
	for _, c := range []struct {
		name       string
		in         []arrival
		want       []int
		lost, late uint64
	}{
		{"in order across the wrap", []arrival{{65534, 0}, {65535, 0}, {0, 0}, {1, 0}}, []int{65534, 65535, 0, 1}, 0, 0},
		{"swapped", []arrival{{1, 0}, {3, 0}, {2, 0}, {4, 0}}, []int{1, 2, 3, 4}, 0, 0},
		{"repaired in time", []arrival{{1, 0}, {3, 0}, {4, reorderWait / 2}, {2, reorderWait - 1}}, []int{1, 2, 3, 4}, 0, 0},
		{"repeated", []arrival{{1, 0}, {1, 0}, {3, 0}, {3, 0}, {2, 0}}, []int{1, 2, 3}, 0, 2},
		{"lost", []arrival{{1, 0}, {4, 0}, {5, over}}, []int{1, gapMark, 4, 5}, 2, 0},
		{"two losses", []arrival{{1, 0}, {3, 0}, {5, over}, {6, 2 * over}}, []int{1, gapMark, 3, gapMark, 5, 6}, 2, 0},
		{"too late", []arrival{{1, 0}, {3, 0}, {4, over}, {2, over}}, []int{1, gapMark, 3, 4}, 1, 1},
		{"far ahead", []arrival{{1, 0}, {3, 0}, {3 + reorderSize, 0}}, []int{1, gapMark, 3, gapMark, 3 + reorderSize}, 1 + reorderSize - 1, 0},
		{"far behind counts as late", []arrival{{1000, 0}, {1, 0}, {1001, 0}}, []int{1000, 1001}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r reorder
			if got := play(&r, c.in); !slices.Equal(got, c.want) {
				t.Errorf("handed over %v, want %v", got, c.want)
			}
			if r.lost != c.lost || r.late != c.late || r.received != uint64(len(c.in)) {
				t.Errorf("lost %d late %d received %d, want %d, %d, %d", r.lost, r.late, r.received, c.lost, c.late, len(c.in))
			}
		})
	}
}

// FuzzReceive drives what a hostile camera or network can: numbers, timestamps,
// markers and payloads of its choice.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{0, 1, 0, 3, 0x65, 0x88, 1, 1, 2, 5, 0x7c, 0x85, 1, 2, 3})
	f.Add([]byte{9, 0, 1, 1, 0x78, 9, 0, 2, 6, 24, 0, 2, 0x67, 1, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewVideo(time.Unix(0, 0))
		now, number := time.Unix(0, 0), uint16(0)
		keyed := false
		for len(data) >= 4 {
			number += uint16(data[0])
			n := min(int(data[3]), len(data)-4)
			p := &rtp.Packet{Header: rtp.Header{SequenceNumber: number, Timestamp: uint32(data[1]) << 24, Marker: data[2]&1 != 0}, Payload: data[4 : 4+n]}
			now = now.Add(time.Duration(data[2]) * time.Millisecond)
			data = data[4+n:]
			r.Packet(p, now, func(f Frame) {
				keyed = keyed || f.Key
				if !keyed || len(f.Data) == 0 {
					t.Fatalf("a frame before any IDR, or an empty one: %+v", f)
				}
			})
		}
		held := 0
		for _, p := range r.order.ring {
			if p != nil {
				held++
			}
		}
		if held != r.order.held {
			t.Fatalf("holds %d packets and counts %d", held, r.order.held)
		}
	})
}

// TestAnIncompleteFirstPictureIsAskedForAtOnce: later ones at most once in keyframePause.
func TestAnIncompleteFirstPictureIsAskedForAtOnce(t *testing.T) {
	l := receivetest.Packets(receivetest.IDR, receivetest.Delta, receivetest.Delta, receivetest.IDR, receivetest.Delta) // 7, 3, 3, 7, 3 packets
	for name, c := range map[string]struct {
		first  int // packet that comes
		every  time.Duration
		asked  []int // packets at which it asks
		frames int
	}{
		"it is complete":          {0, 10 * time.Millisecond, nil, 5},
		"its sets are lost":       {1, 10 * time.Millisecond, []int{6}, 2},
		"its beginning is lost":   {2, 10 * time.Millisecond, []int{6}, 2},
		"and nothing comes of it": {2, keyframePause / 4, []int{6, 10, 14, 18}, 2},
	} {
		now := time.Unix(0, 0)
		v := NewVideo(now)
		var asked []int
		frames := 0
		for i, p := range l[c.first:] {
			now = now.Add(c.every)
			if v.Packet(p, now, func(Frame) { frames++ }) {
				asked = append(asked, i+c.first)
			}
		}
		if !slices.Equal(asked, c.asked) || frames != c.frames {
			t.Errorf("%s: asked at packets %v, gave %d frames; want %v, %d", name, asked, frames, c.asked, c.frames)
		}
	}
}

func TestMissingPacketsMayStillCome(t *testing.T) {
	v := NewVideo(time.Unix(0, 0))
	for i, c := range []struct {
		number  uint16
		missing bool
	}{{1, false}, {3, true}, {4, true}, {2, false}, {5, false}} {
		v.Packet(&rtp.Packet{Header: rtp.Header{SequenceNumber: c.number}}, time.Unix(0, 0), func(Frame) {})
		if v.Missing() != c.missing {
			t.Errorf("after packet %d a packet is missing: %v, want %v", i, v.Missing(), c.missing)
		}
	}
}
