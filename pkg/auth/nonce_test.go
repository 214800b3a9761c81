package auth

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

func TestNoncesAreRenewedAndDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		old := w.nonce
		time.Sleep(nonceEvery - 1)
		if a := w.ask(nil); a.Code != proto.CodeOK || a.Nonce != old {
			t.Errorf("while it is the newest: %+v", a)
		}
		time.Sleep(time.Nanosecond)
		if a := w.ask(nil); a.Code != proto.CodeOK || a.Nonce == old {
			t.Errorf("with the one before: %+v", a)
		}
		time.Sleep(nonceLife - nonceEvery - 1)
		if a := w.ask(nil); a.Code != proto.CodeOK {
			t.Errorf("at the end of its life: %+v", a)
		}
		time.Sleep(time.Nanosecond)
		stale := w.ask(nil)
		if stale.Code != proto.CodeStale {
			t.Errorf("after its life: %+v", stale)
		}
		w.nonce = stale.Nonce
		if a := w.ask(nil); a.Code != proto.CodeOK {
			t.Errorf("with the nonce of the stale answer: %+v", a)
		}
	})
}

func TestNoncesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n nonces
		seen := map[string]bool{}
		for range 100 {
			seen[n.fresh()] = true
			if most := int(nonceLife / nonceEvery); len(n.live) > most {
				t.Fatalf("%d are live, want at most %d", len(n.live), most)
			}
			time.Sleep(nonceEvery)
		}
		if len(seen) != 100 {
			t.Errorf("%d nonces in 100 times their period", len(seen))
		}
	})
}

// TestNobodyWaitsForItAnyMore has a request held back on its way, and released when its
// client has given up: it is not carried out, and leaves no entry.
func TestNobodyWaitsForItAnyMore(t *testing.T) {
	const patience = 16
	for name, c := range map[string]struct {
		ttl  uint64
		held time.Duration
		want proto.Code
	}{
		"in time":                        {patience, patience * time.Second, proto.CodeOK},
		"too late":                       {patience, patience*time.Second + nonceEvery, proto.CodeStale},
		"a second, in time":              {1, time.Second, proto.CodeOK},
		"a second, too late":             {1, time.Second + nonceEvery, proto.CodeStale},
		"the client does not say":        {0, nonceLife - 1, proto.CodeOK},
		"the client does not say, late":  {0, nonceLife, proto.CodeStale},
		"longer than a nonce lives":      {1000, nonceLife - 1, proto.CodeOK},
		"longer than a nonce, late":      {1000, nonceLife, proto.CodeStale},
		"longer than anything, late":     {math.MaxUint64, nonceLife, proto.CodeStale},
		"as long as a nonce lives, late": {uint64(nonceLife / time.Second), nonceLife, proto.CodeStale},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.run()
				r := w.request(forLive("s1", proto.ScopeView))
				r.TTL = c.ttl
				held := w.seal(r)
				time.Sleep(c.held)
				if l := w.receive(held); len(l) != 1 || l[0].Code != c.want {
					t.Errorf("answers %+v, want %s", l, c.want)
				}
				if began := slices.Contains(w.done(), "live"); began != (c.want == proto.CodeOK) || began == (len(w.journal.all()) == 0) {
					t.Errorf("done %v, the log %+v", w.done(), w.journal.all())
				}
				if n := w.gate.Drops().Stale; (n == 1) != (c.want == proto.CodeStale) {
					t.Errorf("%d are counted as stale", n)
				}
			})
		})
	}
}

// A request may also wait too long in the queue of its own client.
func TestNobodyWaitsForTheQueue(t *testing.T) {
	for held, want := range map[time.Duration]proto.Code{3 * time.Second: proto.CodeOK, 4*time.Second + nonceEvery: proto.CodeStale} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			release := w.slow()
			w.run()
			w.receive(w.seal(w.request(nil)))
			r := w.request(forLive("s1", proto.ScopeView))
			r.TTL = 4
			w.receive(w.seal(r))
			time.Sleep(held)
			release()
			synctest.Wait()
			l := w.answers()
			if len(l) != 2 || l[1].Re != r.ID || l[1].Code != want {
				t.Errorf("after %v: answers %+v, want %s", held, l, want)
			}
			if began := slices.Contains(w.done(), "live"); began != (want == proto.CodeOK) {
				t.Errorf("after %v: done %v", held, w.done())
			}
		})
	}
}
