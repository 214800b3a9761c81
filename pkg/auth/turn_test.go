package auth

import (
	"context"
	"testing"
	"time"
)

// The gate shows that it goes on, unless it is stuck: in its own state, or in an append
// to the access log that does not return.
func TestTurn(t *testing.T) {
	a := openAuthority(t, newState(t))
	gate := a.NewGate(Deps{})
	ctx, cancel := context.WithCancel(t.Context())
	ended, ready := make(chan error), make(chan struct{})
	go func() { ended <- gate.Run(ctx, func() { close(ready) }) }()
	<-ready
	if err := gate.Turn(ctx); err != nil {
		t.Errorf("at rest: %v", err)
	}
	for name, lock := range map[string]interface {
		Lock()
		Unlock()
	}{"the sessions": &a.sessions.mu, "the queues": &a.queues.mu, "the access log": &a.journal.order} {
		lock.Lock()
		turned := make(chan struct{})
		gate.turns <- func() { close(turned) }
		select {
		case <-turned:
			t.Errorf("turns although %s is held", name)
		case <-time.After(100 * time.Millisecond): // what is not stuck takes microseconds
		}
		lock.Unlock()
		<-turned
		if err := gate.Turn(ctx); err != nil {
			t.Errorf("does not turn again after %s: %v", name, err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := gate.Turn(ctx); err == nil {
		t.Error("turns although it does not run")
	}
}
