package media

import (
	"context"
	"errors"
	"sync"
)

// ErrPrivacy means that a device was not used, or no longer is, because its Shutter is closed.
var ErrPrivacy = errors.New("closed by privacy mode")

// Shutter keeps a device closed while privacy mode is on. Its zero value lets the
// device be opened.
type Shutter struct {
	mu      sync.Mutex
	closed  bool
	changed chan struct{}      // closed when closed changes; nil: nobody has asked since
	end     context.CancelFunc // of the use under way
	done    chan struct{}      // closed when that is over; nil: there is none
}

// SetClosed closes the shutter, or opens it again. SetClosed(true) ends the use under way and
// returns once that is over; it must not be called from within it.
func (s *Shutter) SetClosed(on bool) {
	s.mu.Lock()
	if s.closed != on {
		s.closed = on
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

// Closed reports whether the shutter is closed; changed is closed when that changes.
func (s *Shutter) Closed() (on bool, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.closed, s.changed
}

// WaitOpen calls closed and waits while the shutter is closed. It reports whether it was
// opened: not if it was open before, or if ctx ended.
func (s *Shutter) WaitOpen(ctx context.Context, closed func()) bool {
	on, changed := s.Closed()
	if !on {
		return false
	}
	closed()
	select {
	case <-ctx.Done():
		return false
	case <-changed:
		return true
	}
}

// Use runs use, which alone may have the device open and has closed it when it
// returns. Its context ends when the shutter closes; then, or when it is closed
// already, the error is ErrPrivacy. One goroutine at a time may call Use.
func (s *Shutter) Use(ctx context.Context, use func(context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrPrivacy
	}
	s.end, s.done = cancel, make(chan struct{})
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.done)
		s.end, s.done = nil, nil
	}()
	err := use(inner)
	if inner.Err() != nil && ctx.Err() == nil {
		return ErrPrivacy
	}
	return err
}
