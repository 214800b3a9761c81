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
				s.SetClosed(true)
				if closed.IsZero() {
					t.Error("SetClosed returned while the device was open")
				}
			})
		}
		if err := <-used; !errors.Is(err, ErrPrivacy) {
			t.Errorf("Use() = %v, want ErrPrivacy", err)
		}
		waiters.Wait()
	})
}

func TestShutterLetsNobodyInWhileItIsClosed(t *testing.T) {
	var s Shutter
	s.SetClosed(true)
	s.SetClosed(true) // and nobody uses the device: returns at once
	if err := s.Use(t.Context(), func(context.Context) error { t.Error("used while closed"); return nil }); !errors.Is(err, ErrPrivacy) {
		t.Errorf("Use() = %v, want ErrPrivacy", err)
	}
	on, changed := s.Closed()
	if !on {
		t.Error("Closed() is false")
	}
	s.SetClosed(false)
	<-changed
	want := errors.New("a fault")
	if err := s.Use(t.Context(), func(context.Context) error { return want }); !errors.Is(err, want) {
		t.Errorf("Use() = %v after it was opened, want the error of the use", err)
	}
	s.SetClosed(true) // the use is over
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
