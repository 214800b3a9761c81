package capture

import (
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
)

// endless returns a camera that gives pictures at 10 Hz for a good while.
func endless(int) (*fakeStream, error) {
	return newFake(whole(slices.Repeat(clipUnits(), 10000)...)...), nil
}

func (b *bench) expectHeld(t *testing.T) {
	t.Helper()
	synctest.Wait()
	if s := b.status(); s.State != health.OK || s.Reason != privacySentence {
		t.Errorf("health is %s %q in privacy mode", s.State, s.Reason)
	}
}

func TestPrivacyClosesTheCameraAndReleaseOpensIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{script: endless}
		b := newBench(t, src)
		b.run(t)
		time.Sleep(time.Second)
		for range 2 {
			b.SetPrivacy(true)
			if s := src.streams[len(src.streams)-1]; s.closedAt.IsZero() {
				b.end()
				t.Fatal("SetPrivacy returned while the camera was open")
			}
			n, opens := len(b.got), len(src.opens)
			b.expectHeld(t)
			since := b.status().Since
			time.Sleep(24 * time.Hour) // no timer of the watch may fire
			b.expectHeld(t)
			if len(b.got) != n || len(src.opens) != opens || b.status().Since != since {
				t.Errorf("in a day of privacy: %d pictures, %d opened, health since %v", len(b.got)-n, len(src.opens)-opens, b.status().Since)
			}
			b.SetPrivacy(false)
			time.Sleep(time.Second)
			synctest.Wait()
			if s := b.status(); s.State != health.OK || s.Reason != "" || len(b.got) <= n || !b.got[n].Key {
				t.Errorf("after privacy mode: %+v, %d pictures", s, len(b.got)-n)
			}
		}
		b.end()
	})
}

func TestPrivacyBeforeRunNeverOpensTheCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{script: endless}
		b := newBench(t, src)
		b.SetPrivacy(true)
		b.run(t)
		time.Sleep(time.Hour)
		b.expectHeld(t)
		b.end()
		b.SetPrivacy(true) // Run has ended: there is nothing to wait for
		if len(src.opens) != 0 {
			t.Errorf("opened %d times", len(src.opens))
		}
	})
}

// The picture is grabbed already when the hold begins, and the camera is slow to
// give it away.
func TestAPictureOnItsWayIsNotPublishedAfterHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{script: endless}
		b := newBench(t, slowSource{src})
		b.run(t)
		time.Sleep(150 * time.Millisecond) // within the second picture's way
		b.SetPrivacy(true)
		n := len(b.got)
		if n == 0 || !src.streams[0].closedAt.Equal(time.Now()) {
			t.Errorf("%d pictures, closed at %v", n, src.streams[0].closedAt)
		}
		time.Sleep(time.Minute)
		if len(b.got) != n {
			t.Errorf("%d pictures after SetPrivacy returned", len(b.got)-n)
		}
		b.end()
	})
}

// slowSource takes a while between having a picture and giving it.
type slowSource struct{ *fakeSource }

func (s slowSource) open() (stream, error) {
	f, err := s.fakeSource.open()
	return slowStream{f}, err
}

type slowStream struct{ stream }

func (s slowStream) grab() (picture, error) {
	p, err := s.stream.grab()
	time.Sleep(70 * time.Millisecond)
	return p, err
}

func TestPrivacyEndsThePauseAfterAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{script: func(int) (*fakeStream, error) { return nil, syscall.ENODEV }}
		b := newBench(t, src)
		b.run(t)
		time.Sleep(time.Minute)
		b.SetPrivacy(true)
		b.expectHeld(t)
		opens := len(src.opens)
		src.script = endless
		time.Sleep(time.Hour)
		b.SetPrivacy(false)
		synctest.Wait()
		if len(src.opens) != opens+1 {
			t.Errorf("opened %d times at once after the hold, want once", len(src.opens)-opens)
		}
		b.end()
	})
}

func TestPrivacyIsSafeFromManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &fakeSource{script: endless}
		b := newBench(t, src)
		b.run(t)
		done := make(chan struct{})
		const people = 8
		for i := range people {
			go func() {
				for j := range 20 {
					b.SetPrivacy((i+j)%2 == 0)
					time.Sleep(time.Duration(i+1) * 37 * time.Millisecond)
				}
				done <- struct{}{}
			}()
		}
		for range people {
			<-done
		}
		b.SetPrivacy(true)
		for i, s := range src.streams {
			if s.closedAt.IsZero() {
				t.Errorf("stream %d is open", i)
			}
		}
		b.expectHeld(t)
		b.end()
	})
}
