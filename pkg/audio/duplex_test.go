package audio

import (
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/echo"
	"github.com/camd-project/camd/pkg/audio/opus"
)

// pair is a microphone's stream beside what a speaker plays, without cards: both
// began when the capture clock stood at 0.
type pair struct {
	duplex duplex
	far    *FarEnd
	reader reader
	log    strings.Builder
}

func newPair(t testing.TB, wanted, speaker string) *pair {
	t.Helper()
	p := &pair{far: NewFarEnd()}
	p.duplex = newDuplex(wanted, slog.New(slog.NewTextHandler(&p.log, nil)), p.far)
	p.duplex.begin("hw:1,0")
	t.Cleanup(p.duplex.close)
	if speaker != "" {
		p.far.begin(speaker, true)
	}
	return p
}

// play gives the card some samples.
func (p *pair) play(samples []int16) {
	p.far.put(samples)
	p.far.place(lasting(p.far.now().written))
}

// capture is the frame of the microphone, and what becomes of it.
func (p *pair) capture(frame []int16) {
	p.reader.began.note(0)
	p.reader.read += opus.FrameSamples
	p.duplex.process(frame, &p.reader)
}

// steady is noise that lasts.
func steady(amplitude int) []int16 {
	random := rand.New(rand.NewPCG(3, 3))
	s := make([]int16, opus.FrameSamples)
	for i := range s {
		s[i] = int16(random.IntN(2*amplitude) - amplitude)
	}
	return s
}

// changed captures noise for so many frames, and tells in how many it was changed.
func (p *pair) changed(frames int) (n int) {
	near := steady(3000)
	for range frames {
		frame := slices.Clone(near)
		if p.capture(frame); !slices.Equal(frame, near) {
			n++
		}
	}
	return n
}

// TestNothingPlayedChangesNothing: then every sample stays, bit by bit.
func TestNothingPlayedChangesNothing(t *testing.T) {
	for name, make := range map[string]func() *pair{
		"no speaker": func() *pair {
			p := newPair(t, "auto", "")
			p.duplex.far = nil
			return p
		},
		"a speaker at rest": func() *pair { return newPair(t, "auto", "") },
		"switched off": func() *pair {
			p := newPair(t, EchoOff, "hw:1,0")
			p.play(make([]int16, 4*rate))
			return p
		},
		"a speaker that nobody hears": func() *pair {
			p := newPair(t, "auto", "null")
			p.play(make([]int16, 4*rate))
			return p
		},
		"silence played, half duplex": func() *pair {
			p := newPair(t, EchoDuck, "hw:1,0")
			p.play(make([]int16, 4*rate))
			return p
		},
	} {
		p := make()
		if n := p.changed(150); n != 0 || p.duplex.canceller != nil {
			t.Errorf("%s: %d of 150 frames were changed", name, n)
		}
	}
}

// TestNothingHeardAnyMoreChangesNothing: half a second after the last sample.
func TestNothingHeardAnyMoreChangesNothing(t *testing.T) {
	for _, wanted := range []string{EchoCancel, EchoDuck} {
		p := newPair(t, wanted, "hw:1,0")
		p.play(audiotest.Voice(1, rate))
		p.far.end()
		if n := p.changed(50); n < 40 {
			t.Errorf("%s: while it plays, %d of 50 frames were changed", wanted, n)
		}
		p.changed(27)
		if n := p.changed(200); n != 0 {
			t.Errorf("%s: afterwards, %d frames were changed", wanted, n)
		}
	}
}

// TestHalfDuplex: the microphone is all but silent while something is heard.
func TestHalfDuplex(t *testing.T) {
	for _, c := range []struct {
		name, wanted, speaker, why string
		unbuilt                    error
	}{
		{"another card", "auto", "hw:0,0", "different cards", nil},
		{"no cgo", "auto", "hw:1,0", "without cgo", echo.ErrNotBuilt},
		{"configured", EchoDuck, "hw:1,0", "configuration", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, c.wanted, c.speaker)
			if c.unbuilt != nil {
				p.duplex.make = func() (canceller, error) { return nil, c.unbuilt }
			}
			p.play(audiotest.Sine(500, 8000, rate))
			p.far.end()
			near, frame := steady(3000), []int16(nil)
			for range 20 {
				frame = slices.Clone(near)
				p.capture(frame)
			}
			if got, least := audiotest.Level(near)/max(1, audiotest.Level(frame)), 50.0; got < least {
				t.Errorf("the microphone is lowered to 1/%.0f, want 1/%.0f", got, least)
			}
			p.changed(65)
			if n := p.changed(1); n != 0 {
				t.Error("it is still lowered 700 ms after the last sample")
			}
			if log := p.log.String(); strings.Count(log, "handling=duck") != 1 || !strings.Contains(log, c.why) {
				t.Errorf("the log says %s", log)
			}
		})
	}
}

// TestOtherDevicesAreJudgedAnew when the speaker is found elsewhere.
func TestOtherDevicesAreJudgedAnew(t *testing.T) {
	p := newPair(t, "auto", "hw:0,0")
	for _, c := range []struct{ speaker, want string }{
		{"hw:0,0", EchoDuck}, {"null", EchoOff}, {"hw:2,0", EchoDuck},
	} {
		p.far.begin(c.speaker, false)
		p.play(make([]int16, rate))
		if p.changed(1); p.duplex.handling != c.want {
			t.Errorf("%s: %s, want %s", c.speaker, p.duplex.handling, c.want)
		}
	}
}

// TestPlace: what is heard is found though the cards tell their places late by up to
// 20 ms, and moves little once it was found.
func TestPlace(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	late := func() time.Duration { return time.Duration(random.IntN(int(frameLen))) }
	far, r := NewFarEnd(), reader{}
	d := newDuplex("auto", slog.New(slog.DiscardHandler), far)
	far.begin("hw:1,0", true)
	moves, last := 0, int64(0)
	for i := range 500 {
		far.put(make([]int16, opus.FrameSamples))
		far.place(time.Second + lasting(far.now().written) + late())
		r.began.note(400*time.Millisecond + late())
		r.read += opus.FrameSamples
		run := far.now()
		at := d.place(&run, &r)
		if !run.began.known {
			continue
		}
		want := r.read - opus.FrameSamples - rate*6/10
		if off := max(at-want, want-at); i > 50 && off > rate/500 {
			t.Fatalf("frame %d is placed %d samples off", i, off)
		}
		if i > 60 && d.offset != last {
			moves++
		}
		last = d.offset
	}
	if moves != 0 {
		t.Errorf("the place moved %d times after it was found", moves)
	}
	far.end()
	r.read, r.began = opus.FrameSamples, anchor{} // the stream began again
	r.began.note(11 * time.Second)
	run := far.now()
	if off := d.place(&run, &r) - 10*rate; off < -rate/500 || off > rate/500 {
		t.Errorf("after the stream's new beginning it is %d samples off", off)
	}
}

// TestPlaceOverAnHour: on one card the place never moves, however far its crystal is
// off; on two it follows their drift.
func TestPlaceOverAnHour(t *testing.T) {
	for _, c := range []struct {
		name    string
		in, out time.Duration // by which each frame of 20 ms is longer
		moves   int
		off     int64
	}{
		{"one card, slow by 100 ppm", 2 * time.Microsecond, 2 * time.Microsecond, 0, rate / 2000},
		{"one card, fast by 100 ppm", -2 * time.Microsecond, -2 * time.Microsecond, 0, rate / 2000},
		{"two cards, 100 ppm apart", time.Microsecond, -time.Microsecond, 72, rate / 150},
	} {
		far, r := NewFarEnd(), reader{}
		d := newDuplex("auto", slog.New(slog.DiscardHandler), far)
		far.begin("hw:1,0", false)
		moves, last := 0, int64(0)
		for i := range 50 * 3600 {
			n := time.Duration(i)
			far.put(quiet[:opus.FrameSamples])
			far.place(lasting(far.now().written) + n*c.out)
			r.began.note(n * c.in)
			r.read += opus.FrameSamples
			run := far.now()
			at := d.place(&run, &r)
			if i < 3 {
				last = d.offset
				continue
			}
			if off := at + opus.FrameSamples - r.read - samplesIn(n*(c.in-c.out)); off > c.off || off < -c.off {
				t.Fatalf("%s: after %v it is %d samples off", c.name, n*frameLen, off)
			}
			if d.offset != last {
				moves++
			}
			last = d.offset
		}
		if moves > c.moves+2 || moves < c.moves-2 {
			t.Errorf("%s: it moved %d times in an hour, want %d", c.name, moves, c.moves)
		}
	}
}

func TestProcessAllocatesNothing(t *testing.T) {
	for _, wanted := range []string{"auto", EchoDuck, EchoOff} {
		p := newPair(t, wanted, "hw:1,0")
		p.far.begin("hw:1,0", false)
		voice, frame := audiotest.Voice(1, opus.FrameSamples), steady(3000)
		step := func() { p.play(voice); p.capture(frame) }
		for range 10 {
			step()
		}
		if n := testing.AllocsPerRun(100, step); n != 0 {
			t.Errorf("%s: %v allocations a frame, want none", wanted, n)
		}
	}
}
