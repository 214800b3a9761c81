package client

import (
	"context"
	"errors"
	"time"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	// silentAfter is how long nothing comes before a session counts as silent. Cameras
	// send a picture a second at least.
	silentAfter = 1500 * time.Millisecond
	silentLook  = 250 * time.Millisecond
	// offlineLead is how long before the last packet arrives a broker may have said that
	// the camera is gone: packets that were on their way come after that.
	offlineLead = time.Second
)

// vigil calls lost once the camera has gone: the broker said so, and nothing comes any
// more. The broker's word alone is no end, since a camera that loses its broker goes on
// sending; nor is silence, since a camera that is busy comes back, and ICE finds out
// about a path that is lost.
func vigil(ctx context.Context, heard, offline func() time.Time, lost func()) {
	look := time.NewTicker(silentLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-look.C:
			last, gone := heard(), offline()
			if silence(last, now) > 0 && gone.After(last.Add(-offlineLead)) {
				lost()
				return
			}
		}
	}
}

// silence is how long nothing has come; 0 while something comes, and before anything did.
func silence(last, now time.Time) time.Duration {
	if d := now.Sub(last); !last.IsZero() && d >= silentAfter {
		return d
	}
	return 0
}

// heard is when the last packet of media came; zero before the first.
func (s *Session) heard() time.Time {
	v, a := s.video.LastPacket(), s.audio.LastPacket()
	if a.After(v) {
		return a
	}
	return v
}

// watchSilence ends the session when the camera has gone. It needs no bye then.
func (s *Session) watchSilence() {
	vigil(s.ctx, s.heard, s.camera.wentOffline, func() {
		s.ended.Store(true)
		s.finish(home.NewProblem(errors.Join(ErrLost, ErrOffline), "The camera %s went offline: it lost its power or its network, or its software ended.", s.camera.record.Title()))
	})
}

// wentOffline is when the broker said last that the camera is gone; zero: never.
func (c *Camera) wentOffline() time.Time {
	if at := c.offline.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// passing are the refusals that may be another answer a little later.
var passing = map[proto.Code]bool{proto.CodeNoMedia: true, proto.CodeTooManySessions: true, proto.CodeBusy: true,
	proto.CodeStorage: true, proto.CodeInternal: true, proto.CodeStale: true, proto.CodeNoSession: true}

// Passing reports whether what ended or refused a session may be over by itself, so that
// it makes sense to ask for another one: a camera or a path that is gone is, a right
// that has ended is not.
func Passing(err error) bool {
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		return passing[refused.Code]
	case errors.Is(err, ErrNewEpoch), errors.Is(err, ErrClosed), errors.Is(err, context.Canceled):
		return false
	}
	return errors.Is(err, ErrLost) || errors.Is(err, ErrOffline) || errors.Is(err, ErrNoAnswer)
}
