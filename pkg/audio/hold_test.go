//go:build cgo

package audio

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
)

func TestHoldClosesTheCardAndReleaseOpensIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		defer r.feed.Want()()
		r.run()
		time.Sleep(time.Second)
		r.mic.Hold(true)
		if !r.opened[0].Closed() {
			r.stop()
			t.Fatal("Hold returned while the card was open")
		}
		n, looked := len(r.pts), r.looked
		r.mic.Hold(true)
		r.expect(health.OK, heldSentence)
		time.Sleep(24 * time.Hour)
		r.expect(health.OK, heldSentence)
		if len(r.pts) != n || len(r.opened) != 1 || r.looked != looked {
			t.Errorf("in a day of privacy: %d frames, opened %d times, looked %d times", len(r.pts)-n, len(r.opened)-1, r.looked-looked)
		}
		r.mic.Hold(false)
		time.Sleep(time.Second)
		r.expect(health.OK, "")
		if len(r.opened) != 2 || len(r.pts) <= n {
			t.Errorf("after the hold: opened %d times, %d frames", len(r.opened), len(r.pts)-n)
		}
		r.stop()
	})
}

func TestHoldBeforeRunNeverLooksForTheCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		defer r.feed.Want()()
		r.mic.Hold(true)
		r.run()
		time.Sleep(time.Hour)
		r.expect(health.OK, heldSentence)
		r.stop()
		r.mic.Hold(true) // Run has ended: there is nothing to wait for
		if len(r.opened) != 0 || r.looked != 0 {
			t.Errorf("opened %d times, looked %d times", len(r.opened), r.looked)
		}
	})
}

func TestHoldAtRestAndAfterAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		r.run()
		r.mic.Hold(true)
		r.expect(health.OK, heldSentence)
		r.mu.Lock()
		r.missing = fault("There is no microphone.")
		r.mu.Unlock()
		r.mic.Hold(false)
		r.expect(health.Failed, "There is no microphone.")
		time.Sleep(time.Minute) // in a long pause
		r.mic.Hold(true)
		r.expect(health.OK, heldSentence)
		r.stop()
	})
}
