package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/pkg/media/fmp4"
)

const (
	videoRate = 90000 // RTP clock of H.264
	audioRate = 48000 // RTP clock of Opus

	// maxWait is how long the first frames are held for the sender reports of both
	// tracks, and for the first sound.
	maxWait = 2500 * time.Millisecond
	// heldSound bounds the packets of sound from before the first keyframe: one second.
	heldSound = 50
	// muchLate is more than what the network delays: a picture that is older was kept
	// by the camera from before it was asked.
	muchLate = 500 * time.Millisecond

	opusChannels = 1
	opusPreSkip  = 312 // libopus at 48 kHz (RFC 7845 section 4.2)
)

// piece is a frame and which track it belongs to.
type piece struct {
	client.Frame
	sound bool
}

// recording writes frames into a file. It keeps the first ones until it knows how picture
// and sound are synchronised: by the camera's sender reports, or else by when they arrived.
// It is for one goroutine.
type recording struct {
	out       io.Writer
	limit     time.Duration
	wantSound bool

	held         []piece
	keyed        bool // held has a keyframe
	mux          *fmp4.Writer
	video, audio anchor
	began        time.Time     // when the first picture came
	first, last  time.Duration // of the pictures written
	past         time.Duration // of the pictures, from before the camera was asked
	pictures     uint64
	sounds       uint64
	full         bool
}

// anchor converts a track's RTP timestamps to a clock that both tracks share.
type anchor struct {
	rate      int64
	timestamp int64
	at        time.Duration // since the Unix epoch of whichever clock
}

func (a anchor) pts(timestamp int64) time.Duration {
	ticks := timestamp - a.timestamp
	return a.at + time.Duration(ticks/a.rate)*time.Second + time.Duration(ticks%a.rate)*time.Second/time.Duration(a.rate)
}

// take takes a frame, and reports whether the recording is as long as was asked for.
func (r *recording) take(p piece) (done bool, err error) {
	if r.mux != nil {
		return r.write(p)
	}
	switch { // until there is a keyframe to begin with, only sound is held, and not much of it
	case !r.keyed && p.sound && len(r.held) == heldSound:
		r.held = append(r.held[1:], p)
		return false, nil
	case !r.keyed && !p.sound && (!p.Key || avc.SetsIn(p.Data).SPS(p.Data) == nil):
		return false, nil
	}
	r.keyed = r.keyed || !p.sound
	r.held = append(r.held, p)
	if !r.keyed {
		return false, nil
	}
	video, audio := r.captured()
	known := !video.IsZero() && (!r.wantSound || !audio.IsZero())
	if !known && p.Arrived.Sub(r.key().Arrived) < maxWait {
		return false, nil
	}
	return r.begin()
}

// begin writes what was held.
func (r *recording) begin() (done bool, err error) {
	if err := r.open(); err != nil {
		return false, err
	}
	held := r.held
	r.held = nil
	slices.SortStableFunc(held, func(a, b piece) int { return cmp.Compare(r.pts(a), r.pts(b)) })
	for _, p := range held {
		if done, err := r.write(p); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

func (r *recording) key() piece {
	i := slices.IndexFunc(r.held, func(p piece) bool { return !p.sound })
	return r.held[i]
}

// captured returns a time of the camera's clock for each track, zero if not known.
func (r *recording) captured() (video, audio time.Time) {
	for _, p := range r.held {
		if p.sound {
			audio = latest(audio, p.Captured)
		} else {
			video = latest(video, p.Captured)
		}
	}
	return video, audio
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// open sets the anchors and writes the header.
func (r *recording) open() error {
	video, audio := r.captured()
	hasSound := slices.ContainsFunc(r.held, func(p piece) bool { return p.sound })
	byCamera := !video.IsZero() && (!hasSound || !audio.IsZero())
	r.video, r.audio = anchor{rate: videoRate}, anchor{rate: audioRate}
	for _, p := range r.held {
		a := &r.video
		if p.sound {
			a = &r.audio
		}
		a.set(p.Frame, byCamera)
	}
	k := r.key()
	sps, pps := avc.SetsIn(k.Data).Of(k.Data)
	form, err := avc.ParseSPS(sps)
	if err != nil {
		return fmt.Errorf("the camera's video can't be described: %w", err)
	}
	tracks := fmp4.Tracks{Video: &fmp4.VideoTrack{SPS: sps, PPS: pps, Width: form.Width, Height: form.Height}}
	if hasSound {
		tracks.Audio = &fmp4.AudioTrack{Channels: opusChannels, PreSkip: opusPreSkip}
	}
	r.mux, err = fmp4.NewWriter(r.out, tracks)
	r.first, r.began = r.pts(k), k.Arrived
	return err
}

// set takes the camera's clock, or the frame that was on its way for the shortest time.
func (a *anchor) set(f client.Frame, byCamera bool) {
	at := time.Duration(f.Arrived.UnixNano())
	if byCamera {
		if f.Captured.IsZero() {
			return
		}
		at = time.Duration(f.Captured.UnixNano())
	}
	if a.at == 0 || at < a.pts(f.Timestamp) {
		a.timestamp, a.at = f.Timestamp, at
	}
}

func (r *recording) pts(p piece) time.Duration {
	if p.sound {
		return r.audio.pts(p.Timestamp)
	}
	return r.video.pts(p.Timestamp)
}

func (r *recording) write(p piece) (done bool, err error) {
	pts := r.pts(p)
	if pts < r.first {
		return false, nil
	}
	if p.sound {
		if r.audio.at == 0 { // sound that came too late to be in the header
			return false, nil
		}
		r.sounds++
		return false, r.mux.WriteAudio(p.Data, pts)
	}
	// A camera whose keyframes are rare sends all pictures since the last one at once. The
	// present ones need them: they are kept, and don't count.
	if past := pts - r.first - p.Arrived.Sub(r.began); p.Arrived.Sub(r.began) < time.Second && past > muchLate {
		r.past = max(r.past, past)
	}
	if pts-r.first >= r.limit+r.past {
		r.full = true
		return true, nil
	}
	r.pictures++
	r.last = pts
	err = r.mux.WriteVideo(p.Data, pts, p.Key)
	if errors.Is(err, fmp4.ErrChanged) {
		return true, errors.New("the camera changed its picture's size or encoding; that needs another file")
	}
	return false, err
}

// close writes what is left, and what is still held if it ends that soon.
func (r *recording) close() error {
	if r.mux == nil && r.keyed {
		if _, err := r.begin(); err != nil {
			return err
		}
	}
	if r.mux == nil {
		return nil
	}
	return r.mux.Close()
}
