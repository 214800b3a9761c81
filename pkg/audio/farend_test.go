package audio

import (
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/audio/opus"
)

// counted is n samples that tell their place.
func counted(from, n int) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16((from+i)%30000 + 1)
	}
	return s
}

func TestFarEndGivesWhatWasPut(t *testing.T) {
	f := NewFarEnd()
	f.begin("hw:0,0", true)
	const all = 3*farSamples + 777
	for at := 0; at < all; at += 1000 {
		f.put(counted(at, min(1000, all-at)))
	}
	for _, c := range []struct {
		name           string
		from           int64
		zeros, silence int // samples before and after what there is
	}{
		{"within", all - 5000, 0, 0},
		{"the last", all - 960, 0, 0},
		{"the end", all - 500, 0, 460},
		{"what comes later", all, 0, 960},
		{"the first that is left", all - farSamples, 0, 0},
		{"what is overwritten", all - farSamples - 300, 300, 0},
		{"long ago", 10, 960, 0},
		{"before the beginning", -2000, 960, 0},
	} {
		frame := counted(7, opus.FrameSamples)
		f.take(frame, 1, c.from)
		for i, got := range frame {
			want := int16((c.from+int64(i))%30000 + 1)
			if i < c.zeros || i >= len(frame)-c.silence {
				want = 0
			}
			if got != want {
				t.Errorf("%s: sample %d is %d, want %d", c.name, i, got, want)
				break
			}
		}
	}
}

func TestFarEndTellsRunsApart(t *testing.T) {
	f := NewFarEnd()
	if r := f.now(); r.number != 0 {
		t.Errorf("at first there is run %d", r.number)
	}
	f.begin("hw:0,0", true)
	f.put(counted(0, ahead))
	f.place(time.Second)
	if f.now().began.known {
		t.Error("a card that doesn't play yet tells when it began")
	}
	f.put(counted(ahead, 960))
	f.place(time.Second + 60*time.Millisecond)
	f.end()
	if r := f.now(); r.began.at() != time.Second || !r.over || !r.announced || r.written != ahead+960 {
		t.Errorf("the run is %+v", r)
	}
	f.begin("hw:1,0", false)
	if r := f.now(); r.number != 2 || r.began.known || r.over || r.announced || r.device != "hw:1,0" || r.written != 0 {
		t.Errorf("the next run is %+v", r)
	}
	frame := counted(0, opus.FrameSamples)
	f.put(counted(0, 960))
	if f.take(frame, 1, 0); frame[5] != 0 {
		t.Error("the first run is given samples of the second")
	}
}

func TestNoFarEnd(t *testing.T) {
	var f *FarEnd
	f.begin("hw:0,0", true)
	f.put(counted(0, 960))
	f.place(0)
	f.end()
	if f.now().number != 0 {
		t.Error("a speaker that there isn't has played")
	}
}
