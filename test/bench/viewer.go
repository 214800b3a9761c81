package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/rtc"
)

const (
	frameInterval = time.Second / clipRate // the clip's
	joinPatience  = 20 * time.Second
	freeze        = 200 * time.Millisecond // without a frame, and somebody notices
)

// seen is what the viewers of one process saw since they were asked last.
type seen struct {
	Frames  uint64
	Missing uint64 // packets that were not there when a later one came
	Packets uint64
	Longest time.Duration            // without a frame
	Frozen  time.Duration            // in all that is longer than a freeze
	Span    time.Duration            // of -whole: between the first and the last frame, by the camera's clock
	Jitter  map[string]time.Duration // how far frames' distances are from the clip's
}

// add counts a time between two frames.
func (s *seen) add(gap time.Duration) {
	s.Longest = max(s.Longest, gap)
	if gap > freeze {
		s.Frozen += gap
	}
}

// viewers are receivers in one process, the same for both senders: pion's default
// codecs and interceptors, which ask for lost packets and send reports.
type viewers struct {
	api   *webrtc.API
	offer string // URL
	whole bool
	all   []*viewer
}

// view takes commands, a word each line, and answers each with a line of JSON:
// join (adds a viewer; time to its first frame), once (the same, and it leaves
// again), report (seen).
func view(args []string) error {
	f := flag.NewFlagSet("view", flag.ContinueOnError)
	to := f.String("to", "", "the sender's URL")
	relay := f.String("relayed", "", "the relay's address: take packets from there only")
	whole := f.Bool("whole", false, "count only frames that a decoder can show, and ask for lost packets as a browser does")
	if err := f.Parse(args); err != nil {
		return err
	}
	v := viewers{offer: *to + "/offer", whole: *whole}
	var err error
	if v.api, err = viewerAPI(*relay, *whole); err != nil {
		return err
	}
	if *relay != "" {
		v.offer += "?complete"
	}
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		answer, err := v.do(in.Text())
		if err == nil {
			err = out.Encode(answer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func viewerAPI(relay string, whole bool) (*webrtc.API, error) {
	var e webrtc.SettingEngine
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	e.SetIncludeLoopbackCandidate(onlyLoopback())
	// pion's controlling side waits a second and more; a browser does not.
	e.SetHostAcceptanceMinWait(0)
	e.SetPrflxAcceptanceMinWait(0)
	e.SetRelayAcceptanceMinWait(0)
	e.SetSRTPReplayProtectionWindow(1024) // as a browser; pion's 64 refuses what is repeated of a keyframe
	if relay != "" {
		e.SetRemoteIPFilter(func(ip net.IP) bool { return ip.Equal(net.ParseIP(relay)) })
	}
	if !whole {
		return webrtc.NewAPI(webrtc.WithSettingEngine(e)), nil
	}
	m, r, err := asBrowser()
	return webrtc.NewAPI(webrtc.WithSettingEngine(e), webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r)), err
}

func (v *viewers) do(command string) (any, error) {
	switch command {
	case "join":
		x, first, err := v.join()
		v.all = append(v.all, x)
		return first, err
	case "once":
		x, first, err := v.join()
		if err != nil {
			return nil, err
		}
		return first, x.pc.GracefulClose()
	case "report":
		return v.report(), nil
	}
	return nil, fmt.Errorf("unknown command %q", command)
}

func (v *viewers) report() seen {
	s := seen{}
	var off []time.Duration
	for _, x := range v.all {
		x.mu.Lock()
		since := x.last
		if since.IsZero() {
			since = x.began
		}
		open := time.Since(since)
		s.Frames += uint64(len(x.gaps))
		for _, g := range x.gaps {
			off = append(off, (g - frameInterval).Abs())
			s.add(g)
		}
		s.add(open)
		s.Missing += x.missing
		s.Packets += x.packets
		s.Span = max(s.Span, time.Duration(x.stamp-x.from)*time.Second/rtc.VideoClock)
		x.gaps, x.missing, x.packets, x.from = nil, 0, 0, x.stamp
		x.mu.Unlock()
	}
	s.Jitter = quantilesOf(func(q float64) time.Duration { return quantile(off, q) })
	return s
}

// viewer is one receiver. It counts a frame when its last packet comes.
type viewer struct {
	pc    *webrtc.PeerConnection
	began time.Time
	first chan time.Time

	mu      sync.Mutex
	last    time.Time
	gaps    []time.Duration // between frames, since the last report
	missing uint64
	packets uint64
	lost    uint64 // of -whole, since the beginning
	stamp   int64  // RTP timestamp of the last frame, of -whole
	from    int64  // and of the last one before the last report
}

// join starts a session and waits for its first frame. The time is from the moment
// at which the offer leaves.
func (v *viewers) join() (*viewer, time.Duration, error) {
	pc, err := v.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, 0, err
	}
	x := &viewer{pc: pc, began: time.Now(), first: make(chan time.Time, 1)}
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if v.whole {
			x.receiveWhole(t)
		} else {
			x.receive(t)
		}
	})
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	if err != nil {
		return nil, 0, err
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return nil, 0, err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		return nil, 0, err
	}
	<-gathered
	asked := time.Now()
	answer, err := post(v.offer, pc.LocalDescription().SDP)
	if err != nil {
		return nil, 0, err
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return nil, 0, err
	}
	select {
	case at := <-x.first:
		return x, at.Sub(asked), nil
	case <-time.After(joinPatience):
		if v.whole { // which is a figure, too
			return x, joinPatience, nil
		}
		return nil, 0, fmt.Errorf("no frame came within %v", joinPatience)
	}
}

func post(url, body string) (string, error) {
	r, err := http.Post(url, "application/sdp", strings.NewReader(body)) //nolint:gosec // the sender's
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("the sender refused: %s", b)
	}
	return string(b), err
}

// receive counts frames from the first IDR on: before it a decoder shows nothing.
func (x *viewer) receive(t *webrtc.TrackRemote) {
	var next uint16
	for idr, begun := false, false; ; begun = true {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		if !begun {
			next = p.SequenceNumber
		}
		next = x.packet(p.SequenceNumber, next)
		idr = idr || holdsIDR(p.Payload)
		if idr && p.Marker {
			x.frame(time.Now())
		}
	}
}

// packet counts one and returns the sequence number that should follow.
func (x *viewer) packet(seq, next uint16) uint16 {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.packets++
	ahead := seq - next
	if ahead >= 1<<15 {
		return next // a repeated one
	}
	x.missing += uint64(ahead)
	return seq + 1
}

func (x *viewer) frame(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.last.IsZero() {
		x.first <- now
	} else {
		x.gaps = append(x.gaps, now.Sub(x.last))
	}
	x.last = now
}

// holdsIDR tells of an IDR slice or a fragment of one (RFC 6184 sections 5.6 and 5.8).
func holdsIDR(payload []byte) bool {
	const idr, fragment = 5, 28
	if len(payload) < 2 {
		return false
	}
	kind := payload[0] & 0x1f
	return kind == idr || kind == fragment && payload[1]&0x1f == idr
}
