package congestion

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

const (
	fps       = 30
	batchStep = 5 * time.Millisecond
	// The clocks of sender and receiver have nothing in common.
	senderClock, receiverClock = time.Hour, 77 * time.Second
)

// estimator is what a stream follows.
type estimator interface {
	Sent(now time.Duration, size int) uint16
	Feedback(now time.Duration, f *rtcp.TransportLayerCC)
	Tick(now time.Duration)
	Estimate() int
	PacingRate() int
	Probe(now time.Duration) int
}

// story is a stream over a link, and what became of it. An encoder that follows the
// estimate, a pacer, and a receiver with pion's feedback stand at its ends.
type story struct {
	link     link
	most     func(t time.Duration) float64 // bit/s that the encoder makes at most
	keyEvery time.Duration
	keyBytes int
	reports  time.Duration // between two of them
	mute     func(t time.Duration) bool
	rival    *window
	noPad    bool // nothing can be padding
	need     int  // bit/s that the controller is told
	length   time.Duration
	wait     func() // lets time pass for an estimator that looks at the clock

	random   *rand.Rand
	control  estimator
	recorder *twcc.Recorder
	waiting  []parcel
	flying   []parcel
	returns  []mail
	tokens   float64
	arrived  int           // bytes
	padding  int           // bytes
	first    time.Duration // when the first picture had arrived
	samples  []sample
}

// mail is a report on its way back.
type mail struct {
	at   time.Duration
	data []byte
}

// sample is the state of a story at one time, each 10 ms.
type sample struct {
	at       time.Duration
	estimate float64
	queue    time.Duration
	arrived  int // bytes until now
	drops    int
}

func (s *story) run(t *testing.T) {
	t.Helper()
	s.random = rand.New(rand.NewPCG(1, 2))
	s.link.random = s.random
	if s.control == nil {
		s.control = New(Config{Start: 1_000_000, Min: 100_000, Max: 30_000_000})
	}
	if s.need > 0 {
		s.control.(*Controller).Need(s.need)
	}
	s.recorder = twcc.NewRecorder(1)
	every := func(n int, d time.Duration) bool { return n%int(d/step) == 0 }
	for n := 0; time.Duration(n)*step < s.length; n++ {
		at := time.Duration(n) * step
		if s.wait != nil {
			s.wait()
		}
		if every(n, time.Second/fps) {
			s.encode(at, n/int(time.Second/fps/step))
		}
		if every(n, batchStep) {
			s.pace(at)
		}
		if every(n, 25*time.Millisecond) {
			s.control.Tick(at + senderClock)
		}
		if s.rival != nil {
			s.rival.step(at, &s.link)
		}
		s.carry(at)
		if every(n, s.reports) {
			s.report(t, at)
		}
		s.hear(t, at)
		if every(n, 10*time.Millisecond) {
			s.samples = append(s.samples, sample{at, float64(s.control.Estimate()), s.link.delayed(at), s.arrived, s.link.drops})
		}
	}
}

// encode makes a picture. Its size varies by a fifth, as an encoder's does.
func (s *story) encode(at time.Duration, n int) {
	bps := min(float64(s.control.Estimate())*0.95, s.most(at))
	size := int(bps / fps / 8 * (0.8 + 0.4*s.random.Float64()))
	if s.keyEvery > 0 && n%int(s.keyEvery.Seconds()*fps) == 0 {
		size = s.keyBytes
	}
	for ; size > 0; size -= 1160 {
		s.waiting = append(s.waiting, parcel{size: min(size, 1160) + 40, frame: n})
	}
}

// pace sends what waits, and padding for probes, in batches, as pkg/live does.
func (s *story) pace(at time.Duration) {
	now := at + senderClock
	batch := max(float64(s.control.PacingRate())*batchStep.Seconds()/8, 1200)
	if at == 0 {
		s.tokens = 12 * 1200
	} else if s.tokens < batch {
		s.tokens = min(batch, s.tokens+float64(s.control.PacingRate())*batchStep.Seconds()/8)
	}
	for s.tokens > 0 {
		p := parcel{size: 1200, frame: -1}
		if len(s.waiting) > 0 {
			p = s.waiting[0]
			s.waiting = s.waiting[1:]
		} else if s.noPad || s.control.Probe(now) == 0 {
			return
		}
		if p.frame < 0 {
			s.padding += p.size
		}
		p.seq = s.control.Sent(now, p.size)
		s.tokens -= float64(p.size)
		s.link.send(at, p)
	}
}

// carry moves what is on the link.
func (s *story) carry(at time.Duration) {
	s.flying = s.link.pass(at, s.flying)
	s.flying = slices.DeleteFunc(s.flying, func(p parcel) bool {
		if p.rival {
			s.rival.expect(reply{p.at + s.link.delay, p.lost})
			s.rival.delivered += p.size
		}
		return p.rival
	})
	for len(s.flying) > 0 && s.flying[0].at <= at {
		p := s.flying[0]
		s.flying = s.flying[1:]
		if p.lost {
			continue
		}
		s.arrived += p.size
		s.recorder.Record(1, p.seq, (p.at + receiverClock).Microseconds())
		if p.frame == 0 {
			s.first = p.at
		}
	}
}

// report sends what the receiver has recorded.
func (s *story) report(t *testing.T, at time.Duration) {
	t.Helper()
	for _, p := range s.recorder.BuildFeedbackPacket() {
		data, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if s.mute == nil || !s.mute(at) {
			s.returns = append(s.returns, mail{at + s.link.delay, data})
		}
	}
}

// hear gives the controller the reports that have come back.
func (s *story) hear(t *testing.T, at time.Duration) {
	t.Helper()
	for len(s.returns) > 0 && s.returns[0].at <= at {
		packets, err := rtcp.Unmarshal(s.returns[0].data)
		if err != nil {
			t.Fatal(err)
		}
		s.returns = s.returns[1:]
		for _, p := range packets {
			s.control.Feedback(at+senderClock, p.(*rtcp.TransportLayerCC))
		}
	}
}

// bound is what must be true of a part of a story.
type bound struct {
	from, to  time.Duration
	delivered float64       // bit/s, at least
	queue     time.Duration // that 95 % of the time is not above
	drops     int           // packets that the queue dropped, at most
}

func (s *story) check(t *testing.T, b bound) {
	t.Helper()
	delivered, queue, drops := s.between(b.from, b.to)
	if delivered < b.delivered || queue > b.queue || drops > b.drops {
		t.Errorf("from %v to %v: %.2f Mbit/s arrived, want %.2f; the queue was %v, want %v; %d packets were dropped, want %d",
			b.from, b.to, delivered/1e6, b.delivered/1e6, queue, b.queue, drops, b.drops)
	} else {
		t.Logf("from %v to %v: %.2f Mbit/s arrived, the queue was %v, %d packets were dropped", b.from, b.to, delivered/1e6, queue, drops)
	}
}

// between returns what a bound is about.
func (s *story) between(from, to time.Duration) (delivered float64, queue time.Duration, drops int) {
	l := slices.DeleteFunc(slices.Clone(s.samples), func(m sample) bool { return m.at < from || m.at >= to })
	first, last := l[0], l[len(l)-1]
	slices.SortFunc(l, func(a, b sample) int { return int(a.queue - b.queue) })
	return perSecond(last.arrived-first.arrived, last.at-first.at), l[len(l)*95/100].queue, last.drops - first.drops
}

// reached returns how long after a time the estimate first was bps or more.
func (s *story) reached(from time.Duration, bps float64) time.Duration {
	for _, m := range s.samples {
		if m.at >= from && m.estimate >= bps {
			return m.at - from
		}
	}
	return s.length
}
