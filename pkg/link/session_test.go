package link

import (
	"errors"
	"testing"
	"testing/synctest"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// reachable is a client whose connection is open, or was lost.
type reachable struct {
	mqtt.Client
	open bool
}

func (r reachable) IsConnectionOpen() bool { return r.open }

// Nobody makes another connection before the wait for the birth is over, so it must not
// outlast this one.
func TestAConnectionThatIsLostIsNotWaitedOn(t *testing.T) {
	for name, c := range map[string]struct {
		open bool
		want error
	}{"lost": {false, ErrOffline}, "open, and mute": {true, errMute}} {
		synctest.Test(t, func(t *testing.T) {
			l := &Link{changed: make(chan struct{}, 1), echoed: make(chan struct{}, 1)}
			l.poke()
			if err := l.awaitEcho(t.Context(), reachable{open: c.open}); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			if again := len(l.changed) == 1; again == c.open {
				t.Errorf("%s: Run is told: %v", name, again)
			}
		})
	}
}
