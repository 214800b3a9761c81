package live

import (
	"context"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Indicator is the live indicator: a light at the device that is on while someone
// watches or listens.
type Indicator interface {
	On() error  // for one more session; after an error, which says why it is not on, nothing was counted
	Off()       // for one session fewer
	Lit() error // why it is not on although a session has switched it on
}

// indicatorCheck is how often the server looks whether the indicator is still on.
const indicatorCheck = 2 * time.Second

// switchOn switches the indicator on for a session, before anything is sent. It goes
// off after the session's last write.
func (s *Server) switchOn(x *Session) error {
	if s.deps.Indicator == nil {
		return nil
	}
	if err := s.deps.Indicator.On(); err != nil {
		return fmt.Errorf("switch the live LED on: %w: %w", err, proto.Refuse(proto.CodeNoLight))
	}
	x.release = append(x.release, s.deps.Indicator.Off)
	return nil
}

// watchIndicator ends every session when the indicator has gone off while they last: by
// another process, by a trigger of the kernel, or because its device has gone.
func (s *Server) watchIndicator(ctx context.Context) {
	if s.deps.Indicator == nil {
		return
	}
	tick := time.NewTicker(s.indicatorCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.deps.Indicator.Lit(); err != nil {
			s.log.Error("live LED has gone out: ending every session", "error", err)
			s.endAll(endReason(proto.EndLight))
		}
	}
}

func (s *Server) endAll(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sessions {
		x.end(why)
	}
}
