package client

import (
	"time"

	"github.com/camd-project/camd/pkg/client/receive"
)

// Stats is a session at a moment.
type Stats struct {
	At           time.Time
	Connected    time.Duration // from the request to the DTLS connection; 0: not yet
	RTT          time.Duration // of the last ICE check; 0: not known
	Path         string        // kinds of the candidates in use, ours and the camera's
	Estimate     int           // bit/s that the path carries, as the camera found; 0: not known
	Queue        time.Duration // the longest that a picture waited at the camera, in the last second
	Silent       time.Duration // nothing has come for so long; 0: packets come, or none has come yet
	Video, Audio receive.Stats
}

// Stats returns the counters.
func (s *Session) Stats() Stats {
	st := Stats{At: time.Now(), Connected: time.Duration(s.connected.Load()), Video: s.video.Stats(), Audio: s.audio.Stats()}
	st.Silent = silence(s.heard(), st.At)
	if p := s.path.Load(); p != nil {
		st.Estimate, st.Queue = p.Estimate, p.Queue
	}
	tracks := s.pc.GetTransceivers()
	if len(tracks) == 0 || st.Connected == 0 { // before that, pion's transport may still be starting
		return st
	}
	ice := tracks[0].Receiver().Transport().ICETransport() // both tracks share it
	if pair, ok := ice.GetSelectedCandidatePairStats(); ok {
		st.RTT = time.Duration(pair.CurrentRoundTripTime * float64(time.Second))
	}
	if pair, err := ice.GetSelectedCandidatePair(); err == nil && pair != nil {
		st.Path = pair.Local.Typ.String() + " to " + pair.Remote.Typ.String()
	}
	return st
}

// Rates are the changes between two Stats.
type Rates struct {
	FPS       float64
	VideoKbps float64
	AudioKbps float64
	Loss      float64 // lost packets out of all, 0 to 1
}

// Since returns the rates since before, earlier Stats of the same session.
func (s Stats) Since(before Stats) Rates {
	seconds := s.At.Sub(before.At).Seconds()
	if seconds <= 0 {
		return Rates{}
	}
	lost := float64(s.Video.Lost - before.Video.Lost + s.Audio.Lost - before.Audio.Lost)
	got := float64(s.Video.Packets - before.Video.Packets + s.Audio.Packets - before.Audio.Packets)
	r := Rates{
		FPS:       float64(s.Video.Frames-before.Video.Frames) / seconds,
		VideoKbps: float64(s.Video.Bytes-before.Video.Bytes) * 8 / 1000 / seconds,
		AudioKbps: float64(s.Audio.Bytes-before.Audio.Bytes) * 8 / 1000 / seconds,
	}
	if lost+got > 0 {
		r.Loss = lost / (lost + got)
	}
	return r
}
