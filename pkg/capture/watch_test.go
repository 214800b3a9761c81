package capture

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
)

// paced returns an H.264 camera whose driver says 10 pictures a second.
func paced(rate float64) *fakeStream {
	s := newFake(whole(slices.Repeat(clipUnits(), 200)...)...)
	s.delay, s.is.driven = time.Duration(float64(time.Second)/rate), true
	return s
}

func TestHealthNamesTheRateThatComes(t *testing.T) {
	for name, c := range map[string]struct {
		real, says float64
		want       string
	}{
		"as configured":         {10, 10, ""},
		"slower":                {4, 10, "gives 4 pictures per second instead of 10."},
		"faster":                {30, 10, "gives 30 pictures per second instead of 10, and of its H.264 none can be left out"},
		"faster, and says so":   {20, 20, "gives 20 pictures per second instead of 10, and"},
		"says 20, gives 10":     {10, 20, ""},
		"says 5, gives 10":      {10, 5, ""},
		"slower than it may be": {0.5, 10, "gives 0.5 pictures per second"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := paced(c.real)
				s.is.rate = c.says
				b := newBench(t, &fakeSource{script: func(int) (*fakeStream, error) { return s, nil }})
				b.run(t)
				defer b.end()
				time.Sleep(12 * time.Second)
				synctest.Wait()
				if s := b.status(); !strings.Contains(s.Reason, c.want) || (s.State == health.OK) != (c.want == "") {
					t.Errorf("health is %+v, want %q", s, c.want)
				}
			})
		})
	}
}

// A camera may cut its stream where it likes: its rate is that of pictures.
func TestRateOfACameraThatCutsPictures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cut []picture
		for _, u := range slices.Repeat(clipUnits(), 100) {
			n := len(u.Data) / 2
			cut = append(cut, picture{data: u.Data[:n]}, picture{data: u.Data[n:]})
		}
		s := newFake(cut...)
		s.delay, s.is.driven = 50*time.Millisecond, true
		b := newBench(t, &fakeSource{script: func(int) (*fakeStream, error) { return s, nil }})
		b.run(t)
		defer b.end()
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if s := b.status(); s.State != health.OK || len(b.got) < 100 {
			t.Errorf("health is %+v after %d pictures", s, len(b.got))
		}
	})
}

// The picture rate is no reason to call a camera hung.
func TestPatienceGrowsWithTheMeasuredRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := paced(0.5)
		s.slow = 6 // and then 15 s a picture, within ten intervals
		src := &fakeSource{script: func(int) (*fakeStream, error) { return s, nil }}
		b := newBench(t, src)
		b.run(t)
		defer b.end()
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if st := b.status(); st.State == health.Failed || len(src.opens) != 1 {
			t.Errorf("%+v, opened %d times", st, len(src.opens))
		}
	})
}

// A camera's encoder that counts pictures is late when they come slowly.
func TestKeyframesOfASlowCameraAreAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		real float64
		want int
	}{"slow": {4, 8}, "as it says": {10, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := paced(c.real)
				b := newBench(t, &fakeSource{script: func(int) (*fakeStream, error) { return s, nil }})
				b.run(t)
				time.Sleep(22 * time.Second)
				b.end()
				if got := len(s.asked); got < c.want || c.want == 0 && got > 0 {
					t.Errorf("asked %d times in 22 s, want %d", got, c.want)
				}
			})
		})
	}
}
