package rtc

import (
	"bytes"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/proto"
)

// viewer returns the connection of a viewer that can receive sound, and pictures in these formats.
func viewer(t *testing.T, formats ...H264) *webrtc.PeerConnection {
	t.Helper()
	m, err := MediaEngine("minptime=10;useinbandfec=1", formats...)
	if err != nil {
		t.Fatal(err)
	}
	own := proto.OwnNetworks()
	e := Settings(Log(slog.New(slog.DiscardHandler), nil), own, func(netip.Addr) bool { return true })
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(e), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	kinds := []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio}
	if len(formats) > 0 {
		kinds = append(kinds, webrtc.RTPCodecTypeVideo)
	}
	for _, kind := range kinds {
		if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			t.Fatal(err)
		}
	}
	return pc
}

func TestMediaEngine(t *testing.T) {
	opus := []string{"rtpmap:111 opus/48000/2", "fmtp:111 minptime=10;useinbandfec=1", "rtcp-fb:111 transport-cc", "extmap:1 " + TransportCC}
	h264 := func(pt, fmtp string) []string {
		return []string{"rtpmap:" + pt + " H264/90000", "fmtp:" + pt + " " + fmtp,
			"rtcp-fb:" + pt + " nack", "rtcp-fb:" + pt + " nack pli", "rtcp-fb:" + pt + " ccm fir",
			"rtcp-fb:" + pt + " transport-cc", "rtcp-fb:" + pt + " goog-remb"}
	}
	const baseline = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
	const high = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f"
	extensions := []string{"extmap:1 " + TransportCC, "extmap:2 " + PlayoutDelay}
	again := []string{"rtpmap:103 rtx/90000", "fmtp:103 apt=102"}
	for name, c := range map[string]struct {
		formats []H264
		want    []string
	}{
		"sound alone": {nil, opus},
		"one format":  {[]H264{{102, baseline, 0}}, slices.Concat(opus, h264("102", baseline), extensions)},
		"with RTX":    {[]H264{{102, baseline, 103}}, slices.Concat(opus, h264("102", baseline), again, extensions)},
		"two formats": {[]H264{{102, baseline, 0}, {104, high, 0}}, slices.Concat(opus, h264("102", baseline), h264("104", high), extensions)},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := viewer(t, c.formats...).CreateOffer(nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(o.SDP) {
				a, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "a=")
				kind, _, _ := strings.Cut(a, ":")
				if ok && (slices.Contains([]string{"rtpmap", "fmtp", "rtcp-fb", "extmap"}, kind)) {
					got = append(got, a)
				}
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(c.want))
			if !slices.Equal(got, want) {
				t.Errorf("offered:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// Candidates are addresses of this machine, over UDP; loopback only where there is nothing else.
func TestSettings(t *testing.T) {
	pc := viewer(t)
	o, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	complete := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(o); err != nil {
		t.Fatal(err)
	}
	<-complete
	n := 0
	for line := range strings.Lines(pc.LocalDescription().SDP) {
		c, ok := strings.CutPrefix(line, "a=candidate:")
		if !ok {
			continue
		}
		n++
		f := strings.Fields(c)
		addr, err := netip.ParseAddr(f[4])
		if err != nil || f[2] != "udp" || addr.IsLoopback() != proto.OwnNetworks().OnlyLoopback() {
			t.Errorf("candidate %s", c)
		}
	}
	if n == 0 {
		t.Error("no candidate")
	}
}

func TestLog(t *testing.T) {
	for name, c := range map[string]struct {
		level slog.Level
		lines int
	}{
		"while debugging": {slog.LevelDebug, 4},
		"otherwise":       {slog.LevelInfo, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			var warned []string
			l := Log(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: c.level})),
				func(m string) { warned = append(warned, m) }).NewLogger("ice")
			l.Trace("no")
			l.Tracef("no %d", 1)
			l.Debug("no")
			l.Debugf("no %d", 2)
			l.Info("no")
			l.Infof("no %d", 3)
			l.Warn("one")
			l.Warnf("two %d", 2)
			l.Error("three")
			l.Errorf("four %d", 4)
			if want := []string{"one", "two 2", "three", "four 4"}; !slices.Equal(warned, want) {
				t.Errorf("warned of %q, want %q", warned, want)
			}
			if n := strings.Count(text.String(), "level=DEBUG msg=webrtc scope=ice message="); n != c.lines || strings.Count(text.String(), "\n") != n {
				t.Errorf("%d lines, want %d:\n%s", n, c.lines, text.String())
			}
		})
	}
	Log(slog.New(slog.DiscardHandler), nil).NewLogger("ice").Warn("nobody is told")
}
