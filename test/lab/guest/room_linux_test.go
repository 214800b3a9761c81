package main

import (
	"encoding/binary"
	"testing"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/test/lab/agent"
)

// TestRoomReflects: what the guest plays, period by period, is what audiotest's room
// makes of the whole, but for the rounding, and what somebody says in it.
func TestRoomReflects(t *testing.T) {
	room, voice := audiotest.NewRoom(1), audiotest.Voice(1, 20*period)
	want := room.Echo(voice, 0)
	at, gain := room.Reflections()
	h := newHall(nil, nil, agent.Room{At: at, Gain: gain})
	h.saying.samples = []int16{7, 5000}
	want[0] += 7
	want[1] += 5000
	b := make([]byte, 2*period)
	for n := 0; n < len(voice); n += period {
		for i, s := range voice[n : n+period] {
			binary.LittleEndian.PutUint16(b[2*i:], uint16(s))
		}
		h.reflect(b)
		for i, w := range want[n : n+period] {
			if got := int16(binary.LittleEndian.Uint16(b[2*i:])); got < w-30 || got > w+30 {
				t.Fatalf("sample %d is %d, want %d", n+i, got, w)
			}
		}
	}
	if audiotest.Level(want) < 300 {
		t.Error("the room is silent")
	}
}
