package congestion

import "testing"

func TestNewControllerBeginsAtStart(t *testing.T) {
	c := New(Config{Start: 1_000_000, Min: 100_000, Max: 8_000_000})
	if c.Estimate() != 1_000_000 || c.PacingRate() != 2_500_000 || c.RTT() != 0 || c.Loss() != 0 {
		t.Error("estimate", c.Estimate(), "pacing", c.PacingRate(), "RTT", c.RTT(), "loss", c.Loss())
	}
}
