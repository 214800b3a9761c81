package live

import (
	"testing"
	"time"
)

func TestSteering(t *testing.T) {
	const full, floor = 3_000_000, 600_000
	for name, c := range map[string]struct {
		set    int
		since  time.Duration
		wishes []int
		want   int
	}{
		"nobody":                        {800_000, time.Second, nil, 0},
		"no bound":                      {0, time.Second, []int{0, 0}, 0},
		"the lowest":                    {0, time.Second, []int{0, 2_000_000, 1_500_000}, 1_500_000},
		"falls at once":                 {2_000_000, 0, []int{1_000_000}, 1_000_000},
		"hardly falls":                  {2_000_000, time.Second, []int{1_990_000}, 2_000_000},
		"never below the floor":         {0, time.Second, []int{100_000, 2_000_000}, floor},
		"rises slowly":                  {1_000_000, time.Second, []int{2_000_000}, 1_500_000},
		"rises no faster later":         {1_000_000, time.Minute, []int{2_000_000}, 1_500_000},
		"rises half in half a second":   {1_000_000, time.Second / 2, []int{2_000_000}, 1_250_000},
		"not in small steps":            {1_000_000, time.Second / 20, []int{2_000_000}, 1_000_000},
		"rises to the wish":             {1_000_000, time.Second, []int{1_020_000}, 1_020_000},
		"rises when the slow one left":  {1_000_000, time.Second, []int{0}, 1_500_000},
		"rises to what is configured":   {2_900_000, time.Second, []int{0}, 0},
		"wishes above what is possible": {0, time.Second, []int{5_000_000}, 0},
	} {
		now := time.Now()
		s := steering{full: full, floor: floor, set: c.set, at: now.Add(-c.since)}
		if got := s.next(now, c.wishes); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestFloorOfTheBitrate(t *testing.T) {
	for _, c := range []struct{ configured, full, want int }{{0, 3_000_000, 600_000}, {400, 3_000_000, 400_000}, {0, 0, 0}} {
		cfg := DefaultConfig()
		cfg.MinBitrateKbps = c.configured
		if got := newSteering(cfg, c.full).floor; got != c.want {
			t.Errorf("floor of %+v is %d", c, got)
		}
	}
}

// TestWhatAViewerCanBeSent is the table of what bounds the encoder for it.
func TestWhatAViewerCanBeSent(t *testing.T) {
	for name, c := range map[string]struct {
		path Path
		tias int
		age  time.Duration
		want int
	}{
		"nothing is known":           {Path{}, 0, time.Minute, 0},
		"its wish":                   {Path{}, 800_000, time.Minute, 800_000},
		"its path":                   {Path{Estimate: 1_070_000}, 0, time.Minute, 900_000},
		"the lower of both":          {Path{Estimate: 1_070_000}, 800_000, time.Minute, 800_000},
		"the path is the lower":      {Path{Estimate: 570_000}, 800_000, time.Minute, 450_000},
		"not yet":                    {Path{Estimate: pathStart}, 0, time.Second, 0},
		"it is found to be slow":     {Path{Estimate: 570_000}, 0, time.Second, 450_000},
		"a path that carries little": {Path{Estimate: 60_000}, 0, time.Minute, 1},
	} {
		if got := c.path.wish(c.tias, c.age); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
