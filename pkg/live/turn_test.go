package live

import (
	"testing"
	"time"
)

// The server shows that it goes on, unless its sessions are stuck under their lock.
func TestTurn(t *testing.T) {
	r := newRig(t, DefaultConfig(), newCamera(true))
	if err := r.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	turned := make(chan struct{})
	r.turns <- func() { close(turned) }
	select {
	case <-turned:
		t.Error("turns although the lock over the sessions is held")
	case <-time.After(100 * time.Millisecond): // what is not stuck takes microseconds
	}
	r.mu.Unlock()
	<-turned
	if err := r.Turn(t.Context()); err != nil {
		t.Errorf("does not turn again: %v", err)
	}
}
