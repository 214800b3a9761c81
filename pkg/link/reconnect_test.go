package link

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
)

// In another network the old connection is dead, and nobody says so. Reconnect makes another
// one, and says so when that one serves.
func TestAnotherNetwork(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		proxy := linktest.NewProxy(t, s.Devices)
		r := newRig(t, config(t, proxy.Address(), s.CA), s.CA, nil).run().awaitOnline()
		proxy.Hold()
		first := r.link.session.Load()
		if err := r.link.Reconnect(t.Context()); err != nil {
			t.Fatalf("Reconnect() = %v", err)
		}
		if now := r.link.session.Load(); now == nil || now == first {
			t.Errorf("the session is %v, and was %v", now, first)
		}
		linktest.NewViewer(t, s).Request(r.device, []byte("in the new one"), false)
		if m := r.receive(); string(m.bytes) != "in the new one" {
			t.Errorf("received %q", m.bytes)
		}
	})
}

// While there is no way to the broker Reconnect waits, and in the end says why. When there is
// one again, it is taken within no more than a moment, however long the pauses were.
func TestNoBrokerInAnotherNetwork(t *testing.T) {
	t.Parallel()
	s := linktest.Embedded(t)
	r := newRig(t, config(t, s.Devices, s.CA), s.CA, nil).run().awaitOnline()
	s.Stop()
	r.awaitProblem("Nothing listens on")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // whatever comes of it, it was refused
	defer cancel()
	var p *Problem
	if err := r.link.Reconnect(ctx); !errors.As(err, &p) || p.Code() != proto.CodeBrokerUnreachable {
		t.Errorf("Reconnect() = %v", err)
	}
	s.Start()
	if err := r.link.Reconnect(t.Context()); err != nil {
		t.Errorf("Reconnect() = %v", err)
	}
}

// A device without a broker says why there is none.
func TestReconnectWithoutABroker(t *testing.T) {
	l := Waiting("It is not set up.", health.NewBoard(slog.New(slog.DiscardHandler)))
	if err := l.Reconnect(t.Context()); err == nil || err.Error() != "It is not set up." {
		t.Errorf("Reconnect() = %v", err)
	}
}

// Pauses are short while somebody waits, and a long one that has begun ends.
func TestPausesWhileSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPauses()
		p.begun = true
		for range 10 { // up to longPause
			p.backoff.Next()
		}
		done := make(chan time.Duration)
		pause := func() {
			began := time.Now()
			p.wait(t.Context(), 0)
			done <- time.Since(began)
		}
		go pause()
		synctest.Wait()
		p.hurry.Add(1)
		p.end()
		if got := <-done; got != 0 {
			t.Errorf("it goes on for %v", got)
		}
		for range 5 {
			go pause()
			if got := <-done; got >= hurryPause*3/2 {
				t.Errorf("a pause of %v", got)
			}
		}
	})
}

// An attempt that was made in the network of before, and waits for nothing there, ends.
func TestReconnectEndsTheAttemptOfBefore(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // the test has ended
	r := newRig(t, config(t, silent.Addr().String(), linktest.NewCA(t, "ca")), linktest.NewCA(t, "devices"), nil)
	attempt := make(chan error, 1)
	go func() {
		_, err := r.link.open(t.Context())
		attempt <- err
	}()
	c, err := silent.Accept() // and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // the same
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var p *Problem
	if err := r.link.Reconnect(ctx); !errors.As(err, &p) || p.Code() != proto.CodeBrokerUnreachable {
		t.Errorf("Reconnect() = %v", err)
	}
	if err := <-attempt; !errors.Is(err, errReconnect) {
		t.Errorf("the attempt ended with %v", err)
	}
}
