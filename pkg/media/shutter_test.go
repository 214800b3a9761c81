package media

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestShutterEndsTheUseAndWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Shutter
		var closed time.Time
		used := make(chan error)
		go func() {
			used <- s.Use(t.Context(), func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second) // a slow driver
				closed = time.Now()
				return errors.New("interrupted")
			})
		}()
		synctest.Wait()
		var waiters sync.WaitGroup
		for range 3 {
			waiters.Go(func() {
				s.Hold(true)
				if closed.IsZero() {
					t.Error("Hold returned while the device was open")
				}
			})
		}
		if err := <-used; !errors.Is(err, ErrHeld) {
			t.Errorf("Use() = %v, want ErrHeld", err)
		}
		waiters.Wait()
	})
}

func TestShutterLetsNobodyInWhileItIsHeld(t *testing.T) {
	var s Shutter
	s.Hold(true)
	s.Hold(true) // and nobody uses the device: returns at once
	if err := s.Use(t.Context(), func(context.Context) error { t.Error("used while held"); return nil }); !errors.Is(err, ErrHeld) {
		t.Errorf("Use() = %v, want ErrHeld", err)
	}
	on, changed := s.Held()
	if !on {
		t.Error("Held() is false")
	}
	s.Hold(false)
	<-changed
	want := errors.New("a fault")
	if err := s.Use(t.Context(), func(context.Context) error { return want }); !errors.Is(err, want) {
		t.Errorf("Use() = %v after the hold, want the error of the use", err)
	}
	s.Hold(true) // the use is over
}

func TestShutterPassesTheEndOfTheContextOn(t *testing.T) {
	var s Shutter
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want := errors.New("stopped")
	if err := s.Use(ctx, func(ctx context.Context) error { <-ctx.Done(); return want }); !errors.Is(err, want) {
		t.Errorf("Use() = %v, want what the use returned", err)
	}
}
