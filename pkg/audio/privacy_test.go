//go:build cgo

package audio

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
)

func TestPrivacyClosesTheCardAndReleaseOpensIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		defer r.feed.Want()()
		r.run()
		time.Sleep(time.Second)
		r.mic.SetPrivacy(true)
		if !r.opened[0].Closed() {
			r.stop()
			t.Fatal("SetPrivacy returned while the card was open")
		}
		n, looked := len(r.pts), r.looked
		r.mic.SetPrivacy(true)
		r.expect(health.OK, privacySentence)
		time.Sleep(24 * time.Hour)
		r.expect(health.OK, privacySentence)
		if len(r.pts) != n || len(r.opened) != 1 || r.looked != looked {
			t.Errorf("in a day of privacy: %d frames, opened %d times, looked %d times", len(r.pts)-n, len(r.opened)-1, r.looked-looked)
		}
		r.mic.SetPrivacy(false)
		time.Sleep(time.Second)
		r.expect(health.OK, "")
		if len(r.opened) != 2 || len(r.pts) <= n {
			t.Errorf("after privacy mode: opened %d times, %d frames", len(r.opened), len(r.pts)-n)
		}
		r.stop()
	})
}

func TestPrivacyBeforeRunNeverLooksForTheCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		defer r.feed.Want()()
		r.mic.SetPrivacy(true)
		r.run()
		time.Sleep(time.Hour)
		r.expect(health.OK, privacySentence)
		r.stop()
		r.mic.SetPrivacy(true) // Run has ended: there is nothing to wait for
		if len(r.opened) != 0 || r.looked != 0 {
			t.Errorf("opened %d times, looked %d times", len(r.opened), r.looked)
		}
	})
}

func TestPrivacyAtRestAndAfterAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DefaultConfig())
		r.run()
		r.mic.SetPrivacy(true)
		r.expect(health.OK, privacySentence)
		r.mu.Lock()
		r.missing = fault("There is no microphone.")
		r.mu.Unlock()
		r.mic.SetPrivacy(false)
		r.expect(health.Failed, "There is no microphone.")
		time.Sleep(time.Minute) // in a long pause
		r.mic.SetPrivacy(true)
		r.expect(health.OK, privacySentence)
		r.stop()
	})
}
