package live

import (
	"encoding/binary"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/media"
)

// TestTransportWideNumbers has them run through both tracks' packets, if they are agreed on.
func TestTransportWideNumbers(t *testing.T) {
	for name, offered := range map[string]bool{"offered": true, "not offered": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, DefaultConfig(), newCamera(false))
			r.stream(10*time.Millisecond, 10)
			p := watch(t, r, "one", peerOptions{cc: offered})
			if got := strings.Count(p.answer, rtc.TransportCC); got != map[bool]int{true: 2}[offered] {
				t.Errorf("the answer has the extension %d times:\n%s", got, p.answer)
			}
			id := map[bool]uint8{}
			for i, m := range regexp.MustCompile(`extmap:(\d+) `+regexp.QuoteMeta(rtc.TransportCC)).FindAllStringSubmatch(p.answer, -1) {
				n, err := strconv.ParseUint(m[1], 10, 8)
				must(t, err)
				id[i == 1] = uint8(n)
			}
			seen := map[uint16]int{}
			for range 50 {
				for kind, x := range map[bool]*rtp.Packet{false: get(t, p.video), true: get(t, p.audio)} {
					if n := x.GetExtension(id[kind]); n != nil {
						seen[binary.BigEndian.Uint16(n)]++
					}
				}
			}
			if !offered {
				if len(seen) != 0 {
					t.Error("packets carry numbers that nobody asked for")
				}
				return
			}
			if len(seen) != 100 {
				t.Errorf("%d numbers in 100 packets", len(seen))
			}
		})
	}
}

// TestRTXIsAgreedOn loses packets, asks for them, and gets them from the source that the
// answer names for that. It reports on that source too, which pion has no reader for.
func TestRTXIsAgreedOn(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.picture(true, 50000)
	p := watch(t, r, "one", peerOptions{rtx: true, cc: true})
	group := regexp.MustCompile(`a=ssrc-group:FID (\d+) (\d+)`).FindStringSubmatch(p.answer)
	if group == nil || !strings.Contains(p.answer, "a=fmtp:109 apt=108") {
		t.Fatalf("no RTX in the answer:\n%s", p.answer)
	}
	first := get(t, p.video)
	if got := strconv.Itoa(int(first.SSRC)); got != group[1] {
		t.Errorf("source %s, want %s", got, group[1])
	}
	eventually(t, "the picture is there", func() bool { return p.session.Stats().Frames == 1 })
	must(t, p.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: first.SSRC,
		Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{first.SequenceNumber})}}))
	eventually(t, "it was sent again", func() bool { return p.session.Stats().Resent == 1 })

	before := p.session.viewer.counters.unread.Load()
	again, err := strconv.ParseUint(group[2], 10, 32)
	must(t, err)
	recorder := twcc.NewRecorder(1)
	recorder.Record(uint32(again), 0, 1000)
	for range 2 * reportBurst { // so many that some are dropped: they have come
		recorder.Record(uint32(again), 1, 2000)
		must(t, p.pc.WriteRTCP(recorder.BuildFeedbackPacket()))
	}
	eventually(t, "reports on the source of RTX are counted", func() bool { return p.session.viewer.counters.unread.Load() > before })
}

func TestFloodOfReportsIsBounded(t *testing.T) {
	v := testViewer(&wire{}, packets.New(90000, true))
	report, err := (&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 1}}}).Marshal()
	must(t, err)
	for range 1000 {
		v.feedback(1, report)
	}
	if len(v.reports) != reportQueue {
		t.Errorf("%d reports wait, want %d", len(v.reports), reportQueue)
	}
	if n := v.counters.unread.Load(); n != 1000-reportQueue {
		t.Errorf("%d were counted as dropped, want %d", n, 1000-reportQueue)
	}
	v.listen()
	if len(v.reports) != 0 {
		t.Error("reports are left")
	}
}

func TestRoundTripOfReceiverReports(t *testing.T) {
	sent := 100 * time.Second
	last := uint32(ntpTime(media.Wall(sent)) >> 16)
	for name, c := range map[string]struct {
		report rtcp.ReceptionReport
		want   time.Duration
	}{
		"answered at once":     {rtcp.ReceptionReport{LastSenderReport: last}, 80 * time.Millisecond},
		"answered later":       {rtcp.ReceptionReport{LastSenderReport: last, Delay: 65536 / 20}, 30 * time.Millisecond},
		"no report to answer":  {rtcp.ReceptionReport{}, 0},
		"answered before":      {rtcp.ReceptionReport{LastSenderReport: last + 65536}, 0},
		"delayed by more":      {rtcp.ReceptionReport{LastSenderReport: last, Delay: 65536}, 0},
		"years ago":            {rtcp.ReceptionReport{LastSenderReport: last - 40000*65536 + 1}, 0},
		"more than 10 seconds": {rtcp.ReceptionReport{LastSenderReport: last - 11*65536}, 0},
	} {
		got := roundTrip(sent+80*time.Millisecond, c.report)
		if d := got - c.want; d < -time.Millisecond || d > time.Millisecond {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestALiarHurtsOnlyItself has one viewer say that its path carries nothing, by every
// kind of report, while another one watches and says nothing.
func TestALiarHurtsOnlyItself(t *testing.T) {
	const full = 3_000_000
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.steering = newSteering(r.cfg, full)
	r.stream(20*time.Millisecond, 10) // slowly enough for a path of which nothing is known
	good, liar := watch(t, r, "good", peerOptions{}), watch(t, r, "liar", peerOptions{cc: true, rtx: true})
	get(t, good.video)
	source := get(t, liar.video).SSRC
	lie := func() {
		all := &rtcp.TransportLayerCC{Header: rtcp.Header{Padding: true, Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: 5},
			MediaSSRC: source, PacketStatusCount: 8191, PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{RunLength: 8191}}}
		for _, p := range []rtcp.Packet{
			&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1, SSRCs: []uint32{source}},
			&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: source, FractionLost: 255}}},
			&rtcp.TransportLayerNack{MediaSSRC: source, Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 0xffff}}},
			all,
		} {
			must(t, liar.pc.WriteRTCP([]rtcp.Packet{p}))
		}
	}
	eventually(t, "the camera follows the liar", func() bool {
		lie()
		time.Sleep(10 * time.Millisecond) // within its allowance
		r.camera.mu.Lock()
		defer r.camera.mu.Unlock()
		return len(r.camera.bitrates) > 0
	})
	for range 100 {
		lie()
		get(t, good.video)
	}
	r.camera.mu.Lock()
	defer r.camera.mu.Unlock()
	for _, bps := range r.camera.bitrates {
		if bps != 0 && bps < full/floorShare {
			t.Errorf("the camera was set to %d bit/s", bps)
		}
	}
	if st := good.session.Stats(); st.Skips != 0 || st.Resent != 0 || st.Path.Loss != 0 || st.Path.Estimate != 0 {
		t.Errorf("the other viewer has %+v", st)
	}
}

// TestReportsThatOverstate are not parsed, wherever they stand in a compound packet.
func TestReportsThatOverstate(t *testing.T) {
	report := func(count uint16, rest ...byte) []byte {
		b := []byte{0x80 | rtcp.FormatTCC, byte(rtcp.TypeTransportSpecificFeedback), 0, byte(4 + len(rest)/4), 0, 0, 0, 1, 0, 0, 0, 2, 0, 0}
		b = binary.BigEndian.AppendUint16(b, count)
		return append(append(b, 0, 0, 0, 0), rest...)
	}
	other, err := (&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: 2}).Marshal()
	must(t, err)
	many := report(8191, 0x3f, 0xff, 0, 0)
	for name, c := range map[string]struct {
		packet []byte
		want   bool
	}{
		"two that arrived, with their times": {report(2, 0x20, 2, 4, 4), false},
		"three, with two times":              {report(3, 0x20, 3, 4, 4), true},
		"as many lost as may be":             {report(mostStatuses, 0x10, 0, 0, 0), false},
		"one more":                           {report(mostStatuses+1, 0x10, 1, 0, 0), true},
		"by one bit":                         {report(2, 0xb0, 0, 4, 4), false},
		"by one bit, the rest not named":     {report(2, 0xbf, 0xff, 4, 4), false},
		"by one bit, three of them":          {report(14, 0xb8, 0, 4, 4), true},
		"by two bits":                        {report(7, 0xd5, 0, 4, 4), true},
		"by two bits, all lost":              {report(7, 0xc0, 0, 0, 0), false},
		"a run without times":                {many, true},
		"behind another":                     {append(slices.Clone(other), many...), true},
		"cut short":                          {many[:15], false},
		"empty":                              {nil, false},
		"another alone":                      {other, false},
	} {
		if got := overstates(c.packet); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	v := newViewer(new(counters), func() {}, false)
	if n := testing.AllocsPerRun(10, func() { v.feedback(1, many) }); n != 0 || v.counters.unread.Load() == 0 {
		t.Errorf("such a report costs %v allocations, %d were not read", n, v.counters.unread.Load())
	}
}

// TestWhatOnePathClaimsIsNoBudget has a viewer say that its path carries everything.
func TestWhatOnePathClaimsIsNoBudget(t *testing.T) {
	v := newViewer(new(counters), func() {}, false)
	v.path.Limit(pathMost)
	v.counters.bytes.Add(1000)
	if got := v.allowedRepeats(); got > leastRepeats {
		t.Errorf("%d bytes may be sent again after a second with 1000", got)
	}
	v.counters.bytes.Add(500_000)
	if got := v.allowedRepeats(); got > 500_000 {
		t.Errorf("%d bytes may be sent again after a second with 500000", got)
	}
}
