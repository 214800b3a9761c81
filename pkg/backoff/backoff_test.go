package backoff

import (
	"testing"
	"time"
)

func near(t *testing.T, got, want time.Duration) {
	t.Helper()
	if got < want/2 || got >= want*3/2 {
		t.Errorf("a wait of %v, want within half of %v", got, want)
	}
}

func TestWaitsDoubleUpToTheBound(t *testing.T) {
	b := Backoff{First: time.Second, Max: 5 * time.Second}
	for range 2 {
		for _, want := range []time.Duration{1, 2, 4, 5, 5, 5} {
			near(t, b.Next(), want*time.Second)
		}
		b.Limit(3 * time.Second)
		near(t, b.Next(), 3*time.Second)
		near(t, b.Next(), 5*time.Second)
		b.Reset()
		b.Limit(2 * time.Second) // longer than what comes: changes nothing
	}
}

func TestJitterSpreads(t *testing.T) {
	short, long := false, false
	for range 1000 {
		d := Jitter(10*time.Second, time.Second)
		if d < 9*time.Second || d >= 11*time.Second {
			t.Fatalf("%v, want 9 to 11 s", d)
		}
		short, long = short || d < 10*time.Second, long || d > 10*time.Second
	}
	if !short || !long {
		t.Error("all are on one side")
	}
}
