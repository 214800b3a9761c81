package panel

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// What the buttons mean for those who ring, ask to speak, or speak.
func TestGesturesOfTalk(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*bench)
		want []string
	}{
		"the bell at its press":  {func(b *bench) { b.key(bellKey, true); time.Sleep(time.Hour) }, []string{"ring at 0s"}},
		"the bell twice":         {func(b *bench) { b.tap(bellKey, time.Second); b.tap(bellKey, 0) }, []string{"ring at 0s", "ring at 1s"}},
		"the bell ends a talk":   {func(b *bench) { b.talks = true; b.tap(bellKey, 0) }, []string{"hush at 0s"}},
		"the bell accepts first": {func(b *bench) { b.asks, b.talks = true, true; b.tap(bellKey, 0) }, []string{"accept at 0s"}},
		"a short press ends it":  {func(b *bench) { b.talks = true; b.tap(pairKey, 0) }, []string{"hush at 100ms"}},
		"a short press accepts":  {func(b *bench) { b.asks = true; b.tap(pairKey, 0) }, []string{"accept at 100ms"}},
		"a long one does neither": {func(b *bench) { b.asks, b.talks = true, true; b.hold(pairKey, 3*time.Second) },
			[]string{"window of 5m0s for owner at 3s"}},
		"the privacy button does neither": {func(b *bench) { b.asks, b.talks = true, true; b.tap(privacyKey, 0) }, []string{"privacy at 100ms"}},
		"three short presses": {func(b *bench) {
			for range 3 {
				b.tap(pairKey, 500*time.Millisecond)
			}
		}, []string{"audit at 1.1s"}},
		"six short presses": {func(b *bench) {
			for range 6 {
				b.tap(pairKey, 300*time.Millisecond)
			}
		}, []string{"audit at 700ms", "audit at 1.6s"}},
		"a short press just after a talk": {func(b *bench) { b.spoke = true; b.tap(pairKey, 0) }, []string{"block at 100ms"}},
		"the bell then rings":             {func(b *bench) { b.spoke = true; b.tap(bellKey, 0) }, []string{"ring at 0s"}},
		"one that stops the audit is none of three": {func(b *bench) {
			b.audits = true
			for range 3 {
				b.tap(pairKey, 300*time.Millisecond)
			}
			b.tap(pairKey, 300*time.Millisecond)
		}, []string{"audit at 1s"}},
		"three slow presses": {func(b *bench) {
			for range 3 {
				b.tap(pairKey, 800*time.Millisecond)
			}
		}, nil},
		"a long one among them": {func(b *bench) {
			b.tap(pairKey, 200*time.Millisecond)
			b.hold(pairKey, time.Second)
			b.tap(pairKey, 200*time.Millisecond)
			b.tap(pairKey, 200*time.Millisecond)
		}, nil},
		"one that ended a talk is none of three": {func(b *bench) {
			b.talks = true
			b.tap(pairKey, 200*time.Millisecond)
			b.talks = false
			b.tap(pairKey, 200*time.Millisecond)
			b.tap(pairKey, 200*time.Millisecond)
		}, []string{"hush at 100ms"}},
		"one that stopped a countdown neither, nor ends a talk": {func(b *bench) {
			b.hold(pairKey, 10*time.Second)
			b.talks = true
			b.tap(pairKey, 200*time.Millisecond)
			b.talks = false
			b.tap(pairKey, 200*time.Millisecond)
			b.tap(pairKey, 200*time.Millisecond)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, all(), gpio())
				c.do(b)
				time.Sleep(time.Minute)
				b.expect(c.want...)
				b.stop()
			})
		})
	}
}

func TestGesturesAreSpoken(t *testing.T) {
	evicting := []string{"phrase/evicting at 10s", "digit/5 at 15s", "digit/4 at 16s", "digit/3 at 17s", "digit/2 at 18s", "digit/1 at 19s"}
	for name, c := range map[string]struct {
		do   func(*bench)
		want []string
	}{
		"pairing":          {func(b *bench) { b.hold(pairKey, 3*time.Second) }, []string{"phrase/pairing-open at 3s"}},
		"privacy":          {func(b *bench) { b.tap(privacyKey, time.Second); b.tap(privacyKey, 0) }, []string{"phrase/privacy-on at 100ms", "phrase/privacy-off at 1.1s"}},
		"evict":            {func(b *bench) { b.hold(pairKey, 10*time.Second) }, evicting},
		"reset, stopped":   {func(b *bench) { b.hold(pairKey, 20*time.Second); b.tap(pairKey, 0) }, []string{"phrase/resetting at 20s", "phrase/stopped at 20s"}},
		"what failed, not": {func(b *bench) { b.fail = errors.New("no"); b.tap(privacyKey, 0); b.hold(pairKey, 3*time.Second) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, all(), gpio())
				c.do(b)
				time.Sleep(time.Minute)
				synctest.Wait()
				if !slices.Equal(b.said, c.want) {
					t.Errorf("said %q, want %q", b.said, c.want)
				}
				b.stop()
			})
		})
	}
}

// A panel works without a voice and without anyone who talks.
func TestTheActionsOfTalkMayBeMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, all(), gpio())
		a := b.panel.actions
		b.panel.actions = Actions{OpenWindow: a.OpenWindow, TogglePrivacy: a.TogglePrivacy, Evict: a.Evict, Reset: a.Reset}.complete()
		b.tap(bellKey, time.Second)
		for range 3 {
			b.tap(pairKey, 200*time.Millisecond)
		}
		b.tap(privacyKey, 0)
		b.expect("privacy at 1.7s")
		b.stop()
	})
}
