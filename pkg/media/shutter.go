package media

import (
	"context"
	"errors"
	"sync"
)

// ErrHeld says that a device was not used, or no longer, because a Shutter is held.
var ErrHeld = errors.New("held closed by privacy mode")

// Shutter keeps a device closed while privacy mode is on. Its zero value lets the
// device be opened.
type Shutter struct {
	mu      sync.Mutex
	held    bool
	changed chan struct{}      // closed when held changes; nil: nobody has asked since
	end     context.CancelFunc // of the use under way
	done    chan struct{}      // closed when that is over; nil: there is none
}

// Hold closes the shutter, or opens it again. Hold(true) ends the use under way and
// returns once that is over; it must not be called from within it.
func (s *Shutter) Hold(on bool) {
	s.mu.Lock()
	if s.held != on {
		s.held = on
		if s.changed != nil {
			close(s.changed)
			s.changed = nil
		}
	}
	end, done := s.end, s.done
	s.mu.Unlock()
	if on && done != nil {
		end()
		<-done
	}
}

// Held tells whether the shutter is closed; changed is closed when that changes.
func (s *Shutter) Held() (on bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.held, s.changed
}

// Use runs use, which alone may have the device open and has closed it when it
// returns. Its context ends when the shutter closes; then, or when it is closed
// already, the error is ErrHeld. One goroutine at a time may call Use.
func (s *Shutter) Use(ctx context.Context, use func(context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	if !s.enter(cancel) {
		return ErrHeld
	}
	defer s.leave()
	err := use(inner)
	if inner.Err() != nil && ctx.Err() == nil {
		return ErrHeld
	}
	return err
}

func (s *Shutter) enter(end context.CancelFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		return false
	}
	s.end, s.done = end, make(chan struct{})
	return true
}

func (s *Shutter) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.done)
	s.end, s.done = nil, nil
}
