package live

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/media/avc"
)

// unit reads packets up to a marker and gives the access unit in Annex B form.
func unit(t testing.TB, p *peer) []byte {
	t.Helper()
	var d codecs.H264Packet
	var out []byte
	for {
		x := get(t, p.video)
		b, err := d.Unmarshal(x.Payload)
		must(t, err)
		out = append(out, b...)
		if x.Marker {
			return out
		}
	}
}

func TestJoinMidGOPStartsAtTheLastKeyFrame(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	var past [][]byte
	for i := range 30 {
		past = append(past, r.picture(i == 5, 4000))
	}
	p := watch(t, r, "late", peerOptions{})
	for i, want := range past[5:] {
		got := unit(t, p)
		if !bytes.Equal(got, want) {
			t.Fatalf("picture %d differs", i)
		}
		if i == 0 && avc.TypeOf(got[4:]) != avc.SPSType {
			t.Error("first picture does not start with an SPS")
		}
	}
	want := r.picture(false, 4000)
	if got := unit(t, p); !bytes.Equal(got, want) {
		t.Error("live picture differs")
	}
	if n := len(r.camera.asked); n != 0 {
		t.Errorf("a camera that can't was asked %d times for a key frame", n)
	}
}

func TestPacketsAskForImmediatePlayout(t *testing.T) {
	for name, o := range map[string]peerOptions{"negotiated": {}, "not offered": {noExt: true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, DefaultConfig(), newCamera(false))
			r.picture(true, 5000)
			p := watch(t, r, "one", o)
			last := get(t, p.video)
			for range 4 {
				x := get(t, p.video)
				if x.SequenceNumber != last.SequenceNumber+1 {
					t.Errorf("sequence number %d after %d", x.SequenceNumber, last.SequenceNumber)
				}
				var found []byte
				for _, id := range x.GetExtensionIDs() {
					found = append(append(found, id), x.GetExtension(id)...)
				}
				if o.noExt {
					if found != nil {
						t.Errorf("extension %x though none was offered", found)
					}
				} else if len(found) != 4 || !bytes.Equal(found[1:], []byte{0, 0, 0}) {
					t.Errorf("extension %x, want three zero bytes", found)
				}
				last = x
			}
			if want := strings.Contains(p.answer, rtc.PlayoutDelay); want == o.noExt {
				t.Errorf("answer has the extension: %v", want)
			}
		})
	}
}

// lossy is a receiver's socket that loses packets and keeps the bytes of all.
type lossy struct {
	net.PacketConn
	mu   sync.Mutex
	lose func(b []byte) bool
	seen map[uint16][][]byte // video packets by sequence number, as they came
}

func (l *lossy) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := l.PacketConn.ReadFrom(b)
		if err != nil || n < 12 || b[0]>>6 != 2 || b[1]&0x7f != 108 {
			return n, from, err
		}
		l.mu.Lock()
		seq := binary.BigEndian.Uint16(b[2:])
		again := len(l.seen[seq]) > 0
		l.seen[seq] = append(l.seen[seq], bytes.Clone(b[:n]))
		lost := !again && l.lose(b[:n])
		l.mu.Unlock()
		if !lost {
			return n, from, nil
		}
	}
}

func TestRetransmissionIsTheSameBytes(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.picture(true, 50000)
	conn, err := net.ListenPacket("udp4", ":0")
	must(t, err)
	var lost []uint16
	l := &lossy{PacketConn: conn, seen: map[uint16][][]byte{}}
	l.lose = func(b []byte) bool {
		if len(l.seen)%4 == 2 {
			lost = append(lost, binary.BigEndian.Uint16(b[2:]))
			return true
		}
		return false
	}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: l})
	t.Cleanup(func() { _ = mux.Close() })
	p := watch(t, r, "one", peerOptions{engine: func(e *webrtc.SettingEngine) { e.SetICEUDPMux(mux) }})
	first := get(t, p.video)
	eventually(t, "the picture is there", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		st := p.session.Stats()
		return st.Frames == 1 && len(l.seen) == int(st.Packets)
	})
	before := p.session.Stats()
	l.mu.Lock()
	asked := append([]uint16(nil), lost...)
	l.mu.Unlock()
	if len(asked) < 5 {
		t.Fatalf("only %d packets were lost", len(asked))
	}
	must(t, p.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: first.SSRC, Nacks: rtcp.NackPairsFromSequenceNumbers(asked)}}))
	eventually(t, "all came again", func() bool { return p.session.Stats().Resent == uint64(len(asked)) })
	eventually(t, "all were received", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, seq := range asked {
			if len(l.seen[seq]) != 2 {
				return false
			}
		}
		return true
	})
	for _, seq := range asked {
		if !bytes.Equal(l.seen[seq][0], l.seen[seq][1]) {
			t.Errorf("packet %d differs when sent again", seq)
		}
	}
	if after := p.session.Stats(); after.Frames != before.Frames || after.Packets != before.Packets {
		t.Error("another picture was sent")
	}
}

func TestLossOfPicturesAsksForAKeyFrame(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(true))
	p := watch(t, r, "one", peerOptions{})
	get(t, r.camera.asked)
	r.picture(true, 2000)
	x := get(t, p.video)
	r.control.mu.Lock()
	r.control.requested = time.Time{} // the connection's own request is long ago
	r.control.mu.Unlock()
	must(t, p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: x.SSRC}}))
	get(t, r.camera.asked)
	r.control.mu.Lock()
	r.control.requested = time.Time{}
	r.control.mu.Unlock()
	must(t, p.pc.WriteRTCP([]rtcp.Packet{&rtcp.FullIntraRequest{MediaSSRC: x.SSRC, FIR: []rtcp.FIREntry{{SSRC: x.SSRC}}}}))
	get(t, r.camera.asked)
	if n := p.session.Stats().KeyframeRequests; n != 2 {
		t.Errorf("%d requests counted, want 2", n)
	}
}

func TestSenderReportsComeForBothTracks(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.stream(10*time.Millisecond, 10)
	p := watch(t, r, "one", peerOptions{})
	video, audio := get(t, p.video), get(t, p.audio)
	names := map[uint32]string{}
	sent := map[uint32]bool{}
	for len(names) < 2 || len(sent) < 2 {
		switch x := get(t, p.reports).(type) {
		case *rtcp.SenderReport:
			sent[x.SSRC] = x.PacketCount > 0 && x.OctetCount > 0
		case *rtcp.SourceDescription:
			names[x.Chunks[0].Source] = x.Chunks[0].Items[0].Text
		}
	}
	if !sent[video.SSRC] || !sent[audio.SSRC] {
		t.Errorf("reports %v, want of %d and %d", sent, video.SSRC, audio.SSRC)
	}
	if names[video.SSRC] == "" || names[video.SSRC] != names[audio.SSRC] {
		t.Errorf("canonical names %v, want the same one", names)
	}
	if n := strings.Count(p.answer, "a=msid:"+names[video.SSRC]+" "); n != 2 {
		t.Errorf("%d tracks in the stream of that name, want 2", n)
	}
}

func TestIncomingAudioIsDropped(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.stream(10*time.Millisecond, 10)
	p := newPeer(t, peerOptions{})
	mic, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "mic", "mic")
	must(t, err)
	for _, tr := range p.pc.GetTransceivers() {
		if tr.Kind() == webrtc.RTPCodecTypeAudio {
			must(t, tr.Sender().ReplaceTrack(mic))
		}
	}
	p.start(r, "one", peerOptions{})
	get(t, p.video)
	audio := p.answer[strings.Index(p.answer, "m=audio"):]
	if !strings.Contains(audio, "a=sendrecv") {
		t.Errorf("audio is not answered sendrecv: %s", audio)
	}
	received := func() uint64 {
		for _, s := range p.session.pc.GetStats() {
			if x, ok := s.(webrtc.TransportStats); ok {
				return x.BytesReceived
			}
		}
		return 0
	}
	sent := uint16(0)
	eventually(t, "a lot has arrived", func() bool {
		sent++
		must(t, mic.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: sent, Timestamp: 960 * uint32(sent)}, Payload: make([]byte, 1000)}))
		return sent%100 == 0 && received() > 1_000_000
	})
	for len(p.video) > 0 {
		<-p.video
	}
	get(t, p.video) // and nothing is the worse for it
	p.cancel(nil)
	<-p.session.Done()
}
