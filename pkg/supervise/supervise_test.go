package supervise

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

type part struct {
	name string
	run  func(ctx context.Context, ready func()) error
}

func (p part) String() string                              { return p.name }
func (p part) Run(ctx context.Context, ready func()) error { return p.run(ctx, ready) }

func serve(ctx context.Context, ready func()) error { ready(); <-ctx.Done(); return nil }

var quiet = slog.New(slog.DiscardHandler)

func TestRunCallsAllReadyOnceAndWaitsForEveryPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		ready, joined := 0, false
		slow := part{"slow", func(ctx context.Context, ready func()) error {
			ready()
			<-ctx.Done()
			time.Sleep(time.Second)
			joined = true
			return nil
		}}
		done := make(chan error)
		go func() { done <- Run(ctx, quiet, func() { ready++ }, Part{part{"a", serve}, true}, Part{slow, false}) }()
		synctest.Wait()
		if ready != 1 {
			t.Errorf("allReady called %d times, want 1", ready)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v after its context ended, want nil", err)
		}
		if !joined {
			t.Error("Run returned before a part had")
		}
	})
}

func TestRequiredPartEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		for want, failing := range map[error]func(context.Context, func()) error{
			boom:     func(context.Context, func()) error { return boom },
			ErrEnded: func(context.Context, func()) error { return nil },
		} {
			err := Run(context.Background(), quiet, func() { t.Error("allReady though a part failed") },
				Part{part{"good", serve}, false}, Part{part{"store", failing}, true})
			if !errors.Is(err, want) {
				t.Errorf("Run() = %v, want %v", err, want)
			}
		}
	})
}

func TestOptionalPartIsRestartedWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		var starts []time.Time
		flaky := part{"flaky", func(context.Context, func()) error {
			starts = append(starts, time.Now())
			if len(starts) == 12 {
				cancel()
			}
			return errors.New("no")
		}}
		if err := Run(ctx, quiet, func() {}, Part{flaky, false}); err != nil {
			t.Fatal(err)
		}
		base := firstPause
		for i := 1; i < len(starts); i++ {
			if gap := starts[i].Sub(starts[i-1]); gap < base/2 || gap > base*3/2 {
				t.Errorf("pause %d was %v, want within half of %v", i, gap, base)
			}
			base = min(2*base, maxPause)
		}
	})
}
