package receive

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/client/receive/receivetest"
	"github.com/camd-project/camd/pkg/live/rtc"
)

// assemble plays packets without those at the given indexes.
func assemble(l []*rtp.Packet, missing ...int) ([]unit, *depacketizer) {
	var a depacketizer
	var got []unit
	gap := false
	for i, p := range l {
		if len(missing) > 0 && missing[0] == i {
			missing, gap = missing[1:], true
			continue
		}
		a.push(p, gap, func(u unit) { got = append(got, u) })
		gap = false
	}
	return got, &a
}

func TestAssembleGivesWhatWasSent(t *testing.T) {
	got, a := assemble(receivetest.Packets(receivetest.IDR, receivetest.Delta, receivetest.Delta))
	if len(got) != 3 || a.dropped != 0 {
		t.Fatalf("%d units, %d dropped", len(got), a.dropped)
	}
	for i, want := range [][]byte{receivetest.IDR, receivetest.Delta, receivetest.Delta} {
		if !bytes.Equal(got[i].Data, want) || got[i].timestamp != uint32(i*3000) || got[i].Key != (i == 0) {
			t.Errorf("unit %d: %d bytes at %d, key %v", i, len(got[i].Data), got[i].timestamp, got[i].Key)
		}
	}
}

func TestAssembleWaitsForAnIDRAfterALoss(t *testing.T) {
	l := receivetest.Packets(receivetest.Delta, receivetest.IDR, receivetest.Delta, receivetest.Delta, receivetest.IDR, receivetest.Delta) // 3, 7, 3, 3, 7, 3 packets
	for _, c := range []struct {
		name    string
		missing []int
		want    []uint32
	}{
		{"nothing", nil, []uint32{3000, 6000, 9000, 12000, 15000}},
		{"within a picture", []int{11}, []uint32{3000, 12000, 15000}},
		{"its end", []int{12}, []uint32{3000, 12000, 15000}},
		{"within the IDR", []int{5}, []uint32{12000, 15000}},
		{"the IDR's head", []int{3}, []uint32{12000, 15000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := assemble(l, c.missing...)
			var at []uint32
			for _, u := range got {
				at = append(at, u.timestamp)
			}
			if len(at) != len(c.want) {
				t.Fatalf("units at %v, want %v", at, c.want)
			}
			for i := range at {
				if at[i] != c.want[i] {
					t.Errorf("units at %v, want %v", at, c.want)
				}
			}
		})
	}
}

// A camera with intra refresh gives no IDR after its first.
func TestAssembleBeginsAtARecoveryPoint(t *testing.T) {
	point := receivetest.AnnexB(receivetest.NAL(7, 12), receivetest.NAL(8, 6), []byte{6, 6, 1, 0xc4, 0x80}, receivetest.NAL(1, 2500))
	got, a := assemble(receivetest.Packets(receivetest.Delta, point, receivetest.Delta, receivetest.Delta, point, receivetest.Delta), 9) // within the third
	var at []uint32
	for _, u := range got {
		at = append(at, u.timestamp)
	}
	if want := []uint32{3000, 12000, 15000}; !slices.Equal(at, want) || a.dropped == 0 {
		t.Errorf("units at %v, want %v", at, want)
	}
}

func TestAssembleBoundsAUnit(t *testing.T) {
	var a depacketizer
	p := &rtp.Packet{Payload: append([]byte{0x7c, 0x05}, make([]byte, 1<<20)...)} // a fragment without an end
	for range 20 {
		a.push(p, false, func(unit) { t.Error("gave a unit") })
	}
	if !a.damaged || a.bytes > 2*maxUnit {
		t.Errorf("took %d bytes, damaged %v", a.bytes, a.damaged)
	}
}

func TestUnwrapCountsOn(t *testing.T) {
	var u unwrap
	for _, c := range []struct {
		in   uint32
		want int64
	}{{1<<32 - 10, 1<<32 - 10}, {5, 1<<32 + 5}, {1<<32 - 5, 1<<32 - 5}, {1 << 30, 1<<32 + 1<<30}} {
		if got := u.add(c.in); got != c.want {
			t.Errorf("add(%d) = %d, want %d", c.in, got, c.want)
		}
	}
}

func TestSenderReportsPutBothTracksOnOneClock(t *testing.T) {
	// 2026-11-23 12:00:00.5 UTC.
	wall := time.Date(2026, 11, 23, 12, 0, 0, 5e8, time.UTC)
	ntp := uint64(wall.Unix()-ntpEpoch)<<32 | 1<<31
	video, audio := senderClock{rate: rtc.VideoClock}, senderClock{rate: rtc.AudioClock}
	if !video.at(5).IsZero() {
		t.Error("a time before any report")
	}
	video.report(&rtcp.SenderReport{NTPTime: ntp, RTPTime: 1<<32 - 1})
	audio.report(&rtcp.SenderReport{NTPTime: ntp, RTPTime: 480000})
	if got := video.at(1<<32 - 1).Sub(wall).Abs(); got > time.Microsecond {
		t.Errorf("the report's own time is off by %v", got)
	}
	later := video.at(rtc.VideoClock - 1) // one second on, across the wrap
	if d := later.Sub(audio.at(480000 + rtc.AudioClock)).Abs(); d > time.Microsecond {
		t.Errorf("picture and sound of one moment are %v apart", d)
	}
}

func TestJitterOfASteadyStreamIsNone(t *testing.T) {
	var steady, rough jitter
	at := time.Unix(0, 0)
	for i := range 100 {
		steady.add(uint32(i)*3000-150000, at, rtc.VideoClock) // wraps on the way
		rough.add(uint32(i)*3000, at.Add(time.Duration(i%2)*10*time.Millisecond), rtc.VideoClock)
		at = at.Add(time.Second / 30)
	}
	if steady.value > 1 || rough.value < 800 || rough.value > 1000 {
		t.Errorf("jitter %v and %v ticks, want about 0 and 900", steady.value, rough.value)
	}
}
