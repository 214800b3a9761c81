package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/camd-project/camd/test/netlab"
)

const (
	sampleEvery = 20 * time.Millisecond
	// A step of the link's rate is over when, for so long, the queue is short again and
	// what was sent before the first step is nearly sent again.
	calm       = time.Second
	shortQueue = 100 * time.Millisecond
	nearly     = 0.8
)

// linkFigures are those of one sender on one link.
type linkFigures struct {
	Joins    []time.Duration // to the first picture
	Shown    float64         // share of the camera's pictures
	Frozen   float64         // milliseconds a minute
	Queue    time.Duration   // p95 of what a packet waits before the uplink
	Dropped  uint32          // packets, by the uplink's queue
	Used     float64         // share of what the uplink carries
	Kbps     float64         // that left by the uplink
	CPU      float64         // share of a core
	Slow     linkSeen        // the second viewer's
	DownStep time.Duration
	UpStep   time.Duration
}

// linkSeen is what a second viewer with a slow downlink sees.
type linkSeen struct {
	Shown, Frozen float64
	Queue         time.Duration
}

// linkRun is one sender on one link, in a process with namespaces of its own.
type linkRun struct {
	*bench
	link   networkLink
	kind   string // of sender
	clip   string
	lab    *netlab.Lab
	sender *child
	viewer *child
	slow   *child // nil: there is one viewer
	slowly netlab.Meter

	rate      int // of the uplink now
	samples   []sample
	slowWaits []time.Duration // before the second viewer's downlink
}

// sample is the uplink's queue at a moment.
type sample struct {
	at   time.Time
	wait time.Duration
	netlab.Counters
}

// measureLink is the role of the process that has the namespaces. It prints linkFigures.
func measureLink(args []string) error {
	f := flag.NewFlagSet("link", flag.ContinueOnError)
	r := &linkRun{bench: &bench{}}
	name := f.String("link", "", "name of the link")
	f.StringVar(&r.kind, "kind", "", "camd, plain or chromium")
	f.StringVar(&r.clip, "clip", "", "what the sender plays")
	f.IntVar(&r.Sessions, "joins", 0, "how many viewers join and leave first")
	f.DurationVar(&r.Window, "window", 0, "how long one watches then")
	if err := f.Parse(args); err != nil {
		return err
	}
	i := slices.IndexFunc(networkLinks, func(l networkLink) bool { return l.name == *name })
	if i < 0 {
		return fmt.Errorf("there is no link %q", *name)
	}
	r.link = networkLinks[i]
	ctx, stop := interruptible()
	defer stop()
	r.ctx = ctx
	figures, err := r.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures)
}

func (r *linkRun) run() (f linkFigures, err error) {
	r.rate = r.link.Rate
	if r.lab, err = netlab.New(r.link.Path, r.link.Queue); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.lab.Close()) }()
	end, err := r.begin()
	defer end()
	if err != nil {
		return f, err
	}
	for range r.Sessions {
		wait := time.Second                      // for the one before to be gone
		if !strings.HasSuffix(r.clip, rawClip) { // the moment has nothing to do with its key frames
			wait += rand.N(netGOP * time.Second / netRate) //nolint:gosec // no secret
		}
		if err := r.pause(wait); err != nil {
			return f, err
		}
		var took time.Duration
		if err := r.viewer.ask("once", &took); err != nil {
			return f, err
		}
		f.Joins = append(f.Joins, took)
	}
	err = r.watch(&f)
	return f, err
}

// begin starts the sender and the viewers, and what else the link has.
func (r *linkRun) begin() (end func(), err error) {
	var ends []func()
	end = func() {
		for _, f := range slices.Backward(ends) {
			f()
		}
	}
	args := []string{"-clip", r.clip, "-rate", fmt.Sprint(netRate), "-kbps", fmt.Sprint(netKbps), "-listen", netlab.Camera + ":0"}
	var relayed []string
	if r.link.turn {
		relay, err := startRelay(netlab.Internet)
		if err != nil {
			return end, err
		}
		ends = append(ends, relay.stop)
		args = append(args, "-relay", relay.url)
		relayed = []string{"-relayed", netlab.Internet}
	}
	if r.sender, err = r.senderUnder(under(netlab.CameraNetwork), r.kind, args...); err != nil {
		return end, err
	}
	ends = append(ends, r.sender.stop)
	view := func(downlink netlab.Queue) (*child, netlab.Meter, error) {
		network, m, err := netlab.ComputerInHome, netlab.Meter(nil), error(nil)
		if !r.link.home {
			network, m, err = r.lab.Viewer(downlink)
		}
		if err != nil {
			return nil, nil, err
		}
		c, err := r.startUnder(under(network), "view", append([]string{"-whole", "-to", r.sender.url}, relayed...)...)
		if err == nil {
			ends = append(ends, c.stop)
		}
		return c, m, err
	}
	if r.viewer, _, err = view(netlab.Queue{}); err != nil {
		return end, err
	}
	if r.link.slow.Rate > 0 {
		if r.slow, r.slowly, err = view(r.link.slow); err != nil {
			return end, err
		}
	}
	if r.link.upload {
		stop, err := r.beginUpload()
		if err != nil {
			return end, err
		}
		ends = append(ends, stop)
	}
	return end, nil
}

func under(network string) []string { return []string{"ip", "netns", "exec", network} }

// beginUpload lets another computer of the home send by TCP as fast as it can.
func (r *linkRun) beginUpload() (stop func(), err error) {
	l, err := net.Listen("tcp", netlab.Internet+":0")
	if err != nil {
		return nil, err
	}
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	}()
	c, err := r.startUnder(under(netlab.ComputerInHome), "upload", l.Addr().String())
	return func() { c.stop(); _ = l.Close() }, err
}

// upload is the role of that computer.
func upload(args []string) error {
	c, err := net.Dial("tcp", args[0])
	if err != nil {
		return err
	}
	for b := make([]byte, 64<<10); err == nil; {
		_, err = c.Write(b)
	}
	return err
}

// watch joins, and watches for a window, in which the link may change.
func (r *linkRun) watch(f *linkFigures) error {
	var joined time.Duration
	if r.slow != nil {
		if err := r.slow.ask("join", &joined); err != nil {
			return err
		}
	}
	if err := r.viewer.ask("join", &joined); err != nil {
		return err
	}
	for _, c := range []*child{r.viewer, r.slow} {
		if c != nil {
			if err := c.ask("report", new(seen)); err != nil {
				return err
			}
		}
	}
	used, err := cpu(r.sender.Process.Pid)
	if err != nil {
		return err
	}
	began := time.Now()
	steps, err := r.sampled()
	if err != nil {
		return err
	}
	took := time.Since(began)
	after, err := cpu(r.sender.Process.Pid)
	if err != nil {
		return err
	}
	f.CPU = float64(after-used) / float64(took)
	var own, slow seen
	if err := r.viewer.ask("report", &own); err != nil {
		return err
	}
	f.Shown, f.Frozen = shownAndFrozen(own, took)
	if r.slow != nil {
		if err := r.slow.ask("report", &slow); err != nil {
			return err
		}
		f.Slow.Shown, f.Slow.Frozen = shownAndFrozen(slow, took)
	}
	r.figure(f, took, steps)
	return nil
}

func shownAndFrozen(s seen, took time.Duration) (shown, frozen float64) {
	// What is shown late, out of what the camera had kept, was due before the window.
	due := max(took, s.Span).Seconds() * netRate
	return min(float64(s.Frames)/due, 1), ms(s.Frozen) / took.Minutes()
}

// sampled reads the queues for a window, and changes the link's rate when its time has come. It
// returns when that was.
func (r *linkRun) sampled() (steps []time.Time, err error) {
	began := time.Now()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for now := began; now.Sub(began) < r.Window; now = time.Now() {
		if n := len(steps); n < len(r.link.steps) && now.Sub(began) > r.Window*time.Duration(n+1)/time.Duration(len(r.link.steps)+1) {
			q := r.link.Queue
			q.Rate = r.link.steps[n]
			if err := r.lab.Uplink(q); err != nil {
				return nil, err
			}
			r.rate = q.Rate
			steps = append(steps, now)
		}
		c, err := r.lab.Meter().Read()
		if err != nil {
			return nil, err
		}
		s := sample{at: now, Counters: c}
		if r.rate > 0 {
			s.wait = waits(c, r.rate)
		}
		r.samples = append(r.samples, s)
		if r.slow != nil {
			if c, err = r.slowly.Read(); err != nil {
				return nil, err
			}
			r.slowWaits = append(r.slowWaits, waits(c, r.link.slow.Rate))
		}
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			return nil, r.ctx.Err()
		}
	}
	return steps, nil
}

// waits returns how long the last packet in a queue waits.
func waits(c netlab.Counters, rate int) time.Duration {
	return time.Duration(float64(c.Waiting) * 8 / float64(rate) * float64(time.Second))
}

// figure computes from the samples.
func (r *linkRun) figure(f *linkFigures, took time.Duration, steps []time.Time) {
	if r.link.Rate == 0 {
		return
	}
	var all []time.Duration
	carries := 0.0 // bits, at most
	for i, s := range r.samples {
		all = append(all, s.wait)
		if i > 0 {
			carries += s.at.Sub(r.samples[i-1].at).Seconds() * float64(r.rateAt(s.at, steps))
		}
	}
	first, last := r.samples[0], r.samples[len(r.samples)-1]
	f.Queue, f.Dropped = quantile(all, quantiles["p95"]), last.Dropped-first.Dropped
	f.Slow.Queue = quantile(r.slowWaits, quantiles["p95"])
	f.Used = float64(last.Bytes-first.Bytes) * 8 / carries
	f.Kbps = float64(last.Bytes-first.Bytes) * 8 / 1000 / took.Seconds()
	if len(steps) == 2 {
		f.DownStep = r.until(steps[0], steps[1], func(l []sample) bool {
			return !slices.ContainsFunc(l, func(s sample) bool { return s.wait > shortQueue })
		})
		before := r.sent(r.between(first.at, steps[0]))
		f.UpStep = r.until(steps[1], last.at, func(l []sample) bool { return r.sent(l) >= nearly*before })
	}
}

func (r *linkRun) rateAt(at time.Time, steps []time.Time) int {
	rate := r.link.Rate
	for i, s := range steps {
		if at.After(s) {
			rate = r.link.steps[i]
		}
	}
	return rate
}

func (r *linkRun) between(from, to time.Time) (l []sample) {
	for _, s := range r.samples {
		if !s.at.Before(from) && s.at.Before(to) {
			l = append(l, s)
		}
	}
	return l
}

// sent returns what left in some time, in bytes a second.
func (r *linkRun) sent(l []sample) float64 {
	if len(l) < 2 {
		return 0
	}
	a, b := l[0], l[len(l)-1]
	return float64(b.Bytes-a.Bytes) / b.at.Sub(a.at).Seconds()
}

// until returns how long after a step a time of calm begins; all the time to the end if none
// does.
func (r *linkRun) until(step, end time.Time, calmly func([]sample) bool) time.Duration {
	for at := step; at.Add(calm).Before(end); at = at.Add(sampleEvery) {
		if calmly(r.between(at, at.Add(calm))) {
			return at.Sub(step)
		}
	}
	return end.Sub(step)
}
