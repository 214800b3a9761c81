package link

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

func client(i int) proto.ClientID { return proto.ClientID(fmt.Sprintf("%043d", i)) }

func TestLimiterIsFairAndBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	known := func(c proto.ClientID) (string, bool) { return string(c), c < client(10) }
	l := newLimiter()
	passed := 0
	for i := range 5000 { // each from another stranger
		if l.allow(now, client(10+i%900), known) {
			passed++
		}
	}
	if want := strangerBurst; passed != want || len(l.known) != 0 {
		t.Errorf("%d strangers pass and have %d limiters, want %d and none", passed, len(l.known), want)
	}
	for i := range 10 {
		if !l.allow(now, client(i), known) {
			t.Errorf("member %d suffers from the strangers", i)
		}
	}
	for range 1000 {
		l.allow(now, client(0), known)
	}
	if l.allow(now, client(0), known) || !l.allow(now, client(1), known) {
		t.Error("one member's flood is not its own")
	}
	all := func(c proto.ClientID) (string, bool) { return string(c), true }
	for i := range keptLimiters { // members that come ...
		l.allow(now, client(100+i), all)
	}
	l.allow(now.Add(time.Minute), client(1000), all) // ... and have been quiet since
	if len(l.known) > 1 {
		t.Errorf("%d limiters are kept, want those that are not full", len(l.known))
	}
}

func TestLimiterRefills(t *testing.T) {
	known := func(c proto.ClientID) (string, bool) { return string(c), c == client(0) }
	for who, want := range map[proto.ClientID]struct{ burst, rate int }{
		client(0): {knownBurst, knownRate}, client(1): {strangerBurst, strangerRate},
	} {
		l, now := newLimiter(), time.Unix(100000, 0)
		take := func() (passed int) {
			for range 5000 {
				if l.allow(now, who, known) {
					passed++
				}
			}
			return passed
		}
		if got := take(); got != want.burst {
			t.Errorf("%s: %d pass at once, want %d", who, got, want.burst)
		}
		now = now.Add(time.Second)
		if got := take(); got != want.rate {
			t.Errorf("%s: after a second %d pass, want %d", who, got, want.rate)
		}
		now = now.Add(time.Hour)
		if got := take(); got != want.burst {
			t.Errorf("%s: after an hour %d pass, want %d", who, got, want.burst)
		}
		now = now.Add(-time.Hour)
		if got := take(); got != 0 {
			t.Errorf("%s: a clock that was set back lets %d pass", who, got)
		}
	}
}

// Else a member who invites many keys of its own has the allowance of many.
func TestLimiterCountsByAccount(t *testing.T) {
	now := time.Unix(1000, 0)
	account := func(c proto.ClientID) (string, bool) {
		if c == client(0) {
			return "parent", true
		}
		return "guests of parent", true
	}
	l := newLimiter()
	passed := 0
	for i := range 5000 {
		if l.allow(now, client(1+i%60), account) {
			passed++
		}
	}
	if passed != knownBurst || !l.allow(now, client(0), account) {
		t.Errorf("%d requests of one member's guests pass, want %v, and the member's own too", passed, knownBurst)
	}
}

// Else one member's burst would crowd everyone's requests out of the inbox.
func TestABurstLeavesRoomInTheInbox(t *testing.T) { // T18
	if burst := knownBurst + strangerBurst; inboxLength < burst+20 {
		t.Errorf("the inbox has %d places, and at once may come %d messages", inboxLength, burst)
	}
}

func TestPausesGrowWithJitterAndStartAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPauses()
		measure := func(ctx context.Context, served time.Duration) time.Duration {
			began := time.Now()
			p.wait(ctx, served)
			return time.Since(began)
		}
		if got := measure(t.Context(), 0); got != 0 {
			t.Errorf("the first attempt waits %v", got)
		}
		base := firstPause
		for range 12 {
			if got := measure(t.Context(), 0); got < base/2 || got >= base*3/2 {
				t.Errorf("pause of %v, want within half of %v", got, base)
			}
			base = min(2*base, longPause)
		}
		for range 3 {
			if got := measure(t.Context(), time.Second); got < servedPause/2 || got >= servedPause*3/2 {
				t.Errorf("after a session that served for a moment the pause is %v", got)
			}
		}
		if got := measure(t.Context(), stableAfter+1); got >= firstPause*3/2 {
			t.Errorf("after a stable session the pause is %v", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got := measure(ctx, 0); got != 0 {
			t.Errorf("after the end of its context the pause is %v", got)
		}
	})
}

func TestDropsAreReportedOnce(t *testing.T) {
	var d drops
	var seen [dropKinds]uint64
	d.add(dropSize)
	d.add(dropSize)
	d.add(dropRate)
	if got, want := d.since(&seen), []any{"size", uint64(2), "rate", uint64(1)}; !slices.Equal(got, want) {
		t.Errorf("since() = %v, want %v", got, want)
	}
	if got := d.since(&seen); len(got) != 0 {
		t.Errorf("since() = %v a second time", got)
	}
	for k, name := range dropNames {
		if name == "" || strings.ToLower(name) != name {
			t.Errorf("drop kind %d is named %q", k, name)
		}
	}
}
