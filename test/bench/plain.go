package main

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"github.com/camd-project/camd/pkg/media/avc"
)

// plainSender is what one writes with pion without further thought: its default
// codecs and interceptors, one sample track that all viewers share, written at the
// clip's rate.
type plainSender struct {
	api    *webrtc.API
	config webrtc.Configuration
	track  *webrtc.TrackLocalStaticSample
	units  [][]byte

	written atomic.Uint64

	mu     sync.Mutex
	taken  []time.Duration // from hand-over to the return of WriteSample, all viewers served
	handed handovers
}

func sendPlain(args []string) error {
	o, err := parseSender(args)
	if err != nil {
		return err
	}
	s := &plainSender{handed: newHandovers()}
	if s.units, err = readClip(o.clip, o.rate); err != nil {
		return err
	}
	if o.relay != "" {
		s.config.ICEServers = []webrtc.ICEServer{{URLs: []string{o.relay}, Username: relayUser, Credential: relayPassword}}
	}
	var e webrtc.SettingEngine
	e.SetIncludeLoopbackCandidate(onlyLoopback())
	s.api = webrtc.NewAPI(webrtc.WithSettingEngine(e))
	s.track, err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "video", "camera")
	if err != nil {
		return err
	}
	go s.play(o.rate)
	return serve(s, o.listen)
}

// readClip maps the file, as camd's source does, and cuts it into access units
// beforehand, so that the plain sender pays nothing for that.
func readClip(path string, rate int) (units [][]byte, err error) {
	f, err := os.Open(path) //nolint:gosec // the bench's own file
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	for len(data) > 0 {
		u, rest := avc.NextUnit(data)
		if u.Coded {
			units = append(units, u.Data)
		}
		data = rest
	}
	if len(units) != clipSeconds*rate {
		return nil, fmt.Errorf("%s has %d access units", path, len(units))
	}
	return units, nil
}

func (s *plainSender) play(rate int) {
	interval := time.Second / time.Duration(rate)
	tick := time.NewTicker(interval)
	for i := 0; ; i++ {
		<-tick.C
		began := time.Now()
		s.hand(i%len(s.units), began)
		if err := s.track.WriteSample(media.Sample{Data: s.units[i%len(s.units)], Duration: interval}); err != nil {
			continue // of a viewer that left
		}
		s.written.Add(1)
		s.mu.Lock()
		s.taken = append(s.taken, time.Since(began))
		s.mu.Unlock()
	}
}

func (s *plainSender) hand(number int, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handed[number] = at
}

func (s *plainSender) handovers() handovers {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.handed)
}

func (s *plainSender) answer(offer string, _ bool) (string, error) {
	pc, err := s.api.NewPeerConnection(s.config)
	if err != nil {
		return "", err
	}
	pc.OnConnectionStateChange(func(st webrtc.PeerConnectionState) {
		if st == webrtc.PeerConnectionStateFailed || st == webrtc.PeerConnectionStateClosed {
			_ = pc.Close()
		}
	})
	out, err := pc.AddTrack(s.track)
	if err != nil {
		return "", err
	}
	go func() { // interceptors work only while reports are read
		for buf := make([]byte, 1500); err == nil; {
			_, _, err = out.Read(buf)
		}
	}()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	return pc.LocalDescription().SDP, nil
}

func (s *plainSender) frames() uint64 { return s.written.Load() }

func (s *plainSender) delays() map[string]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.taken
	s.taken = nil
	return quantilesOf(func(q float64) time.Duration { return quantile(l, q) })
}
