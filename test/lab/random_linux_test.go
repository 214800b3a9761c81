//go:build labfull

package lab

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// randomCuts is how often the power is cut, and cutWithin how long after the device answers
// that happens at the latest: in this time an update is downloaded, installed and tried.
const (
	randomCuts = 20
	cutWithin  = 90 * time.Second
)

// TestUpdateUnderRandomPowerCuts: whenever the power is cut while a camera updates itself,
// it comes up again with a version that was confirmed, or with the one on trial; and in the
// end with one that is confirmed.
func TestUpdateUnderRandomPowerCuts(t *testing.T) {
	m := newMaker(t)
	c := m.settled(m.version(Version{Number: "1.0.0"}))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	confirmed, offered, next := "1.0.0", "", 2
	for i := range randomCuts {
		if offered == "" {
			offered = fmt.Sprintf("%d.0.0", next)
			next++
			m.publish(offered, m.version(Version{Number: offered}))
			c.offered(offered)
		}
		wait := time.Duration(random.Int64N(int64(cutWithin)))
		select {
		case <-c.Guest.ended: // it restarts into the version on trial
		case <-time.After(wait):
		}
		became := c.status() // nothing, if camd is not up by now
		c.up(1)
		version := c.version()
		t.Logf("cut %d, after %.1f s: slot %s, version %s; before, %s %s", i+1, wait.Seconds(), c.device.slot(), version, became.State, became.Offered)
		if version != confirmed && version != offered {
			t.Fatalf("version %s runs; %s was confirmed and %s offered", version, confirmed, offered)
		}
		for _, s := range []proto.UpdateStatus{became, c.status()} {
			switch {
			case s.Version == offered && s.State == proto.UpdateCurrent:
				confirmed, offered = offered, ""
			case s.Version == confirmed && s.State == proto.UpdateFailed && s.Offered == offered:
				t.Logf("version %s has failed: %s", offered, s.Reason) // a trial that was cut too often
				offered = ""
			}
		}
		if version != confirmed && offered == "" {
			t.Fatalf("version %s runs, and %s was confirmed", version, confirmed)
		}
	}
	await(unhurried(t), t, time.Second, "nothing is under way any more", func() bool {
		select {
		case <-c.Guest.ended:
			c.up(1)
		default:
		}
		s := c.status()
		return s.Version == c.version() && (s.State == proto.UpdateCurrent || s.State == proto.UpdateFailed)
	})
	if v := c.version(); v != confirmed && v != offered {
		t.Errorf("in the end version %s runs; %s was confirmed and %q offered", v, confirmed, offered)
	}
}

// version is the version that runs.
func (c *camera) version() string {
	_, after, _ := strings.Cut(c.device.run("cat", "/etc/os-release"), "IMAGE_VERSION=")
	v, _, _ := strings.Cut(after, "\n")
	return v
}
