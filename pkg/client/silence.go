package client

import (
	"context"
	"errors"
	"time"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	// silentAfter is the time without a packet after which a session counts as silent.
	// Cameras send at least one picture a second.
	silentAfter = 1500 * time.Millisecond
	silentLook  = 250 * time.Millisecond
	// offlineLead is how long before the last packet a broker may have said that the camera
	// is offline: packets that were on their way arrive after that.
	offlineLead = time.Second
)

// monitor calls lost when the camera has gone: the broker says so, and no packets come any
// more. The broker's word alone is not enough, since a camera that loses its broker goes
// on sending. Silence alone is not enough either, since a busy camera comes back, and ICE
// detects a lost path.
func monitor(ctx context.Context, heard, offline func() time.Time, lost func()) {
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

// silence returns the time without a packet; 0 before the first one, and if it is too
// short to count.
func silence(last, now time.Time) time.Duration {
	if d := now.Sub(last); !last.IsZero() && d >= silentAfter {
		return d
	}
	return 0
}

// heard returns when the last packet of media came; zero before the first.
func (s *Session) heard() time.Time {
	v, a := s.video.LastPacket(), s.audio.LastPacket()
	if a.After(v) {
		return a
	}
	return v
}

// endIfGone ends the session when the camera has gone. It needs no bye then.
func (s *Session) endIfGone() {
	offline := func() time.Time {
		if at := s.camera.offline.Load(); at != nil {
			return *at
		}
		return time.Time{}
	}
	monitor(s.ctx, s.heard, offline, func() {
		s.ended.Store(true)
		s.finish(home.NewProblem(errors.Join(ErrLost, ErrOffline), "The camera %s went offline: it lost its power or its network, or its software ended.", s.camera.record.Title()))
	})
}

// passing are the refusals that may not be repeated a little later.
var passing = map[proto.Code]bool{proto.CodeNoMedia: true, proto.CodeTooManySessions: true, proto.CodeBusy: true,
	proto.CodeStorage: true, proto.CodeInternal: true, proto.CodeStale: true, proto.CodeNoSession: true}

// Passing reports whether the reason why a session ended or was refused may pass by
// itself, so that it makes sense to ask for another session. A camera or a path can come
// back; a right that has ended does not.
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
