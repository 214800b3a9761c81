package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// kinds are the two senders.
var kinds = []string{"camd", "plain"}

// steps are the numbers of viewers, in the order in which they are reached.
var steps = []int{0, 1, 4, 8}

// load measures both senders in turn, and again with the order turned round.
func (b *bench) load() error {
	for round := range b.Rounds {
		for i := range kinds {
			kind := kinds[(i+round)%len(kinds)]
			fmt.Fprintf(os.Stderr, "   round %d of %d: %s\n", round+1, b.Rounds, kind)
			if err := b.loadOne(kind); err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
		}
	}
	for _, n := range []int{4, 8} {
		b.report.step(fmt.Sprintf("CPU of each further viewer, 1 to %d", n), "% of a core", "CPU with 1 viewer", fmt.Sprintf("CPU with %d viewers", n), float64(n-1))
	}
	for _, state := range []string{"as it runs", "after a collection"} {
		b.report.step("anonymous memory of each viewer, 1 to 8, "+state, "MB",
			"anonymous memory with 1 viewer, "+state, "anonymous memory with 8 viewers, "+state, 7)
	}
	return nil
}

func (b *bench) loadOne(kind string) error {
	s, err := b.sender(kind)
	if err != nil {
		return err
	}
	defer s.stop()
	v, err := b.start("view", "-to", s.url)
	if err != nil {
		return err
	}
	defer v.stop()
	there := 0
	for _, n := range steps {
		for ; there < n; there++ {
			if err := v.ask("join", new(time.Duration)); err != nil {
				return err
			}
		}
		if err := b.pause(3 * time.Second); err != nil {
			return err
		}
		if err := b.window(kind, n, s, v); err != nil {
			return err
		}
	}
	return nil
}

func viewersText(n int) string {
	switch n {
	case 0:
		return "without viewers"
	case 1:
		return "with 1 viewer"
	}
	return fmt.Sprintf("with %d viewers", n)
}

// window measures one sender with n viewers.
func (b *bench) window(kind string, n int, s, v *child) error {
	with := viewersText(n)
	var ignored seen
	if err := v.ask("report", &ignored); err != nil {
		return err
	}
	asking, before, err := s.twice()
	if err != nil {
		return err
	}
	used, err := cpu(s.Process.Pid)
	if err != nil {
		return err
	}
	slept, err := switches(s.Process.Pid)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := b.watch(kind, n, s); err != nil {
		return err
	}
	after, err := cpu(s.Process.Pid)
	if err != nil {
		return err
	}
	took := time.Since(began)
	woken, err := switches(s.Process.Pid)
	if err != nil {
		return err
	}
	b.report.add(kind, "CPU "+with, "% of a core", 100*float64(after-used)/float64(took))
	if n == 0 {
		b.report.add(kind, "context switches "+with, "/s", (woken-slept)/took.Seconds())
	}
	f, err := s.figures()
	if err != nil {
		return err
	}
	var got seen
	if err := v.ask("report", &got); err != nil {
		return err
	}
	if n > 0 {
		b.report.add(kind, "allocations for each frame "+with, "", (float64(f.Mallocs-before.Mallocs)-asking)/float64(f.Frames-before.Frames))
		for _, q := range []string{"p50", "p95", "p99"} {
			b.report.add(kind, "latency from hand-over to last send "+with+", "+q, "ms", ms(f.Delay[q]))
		}
		b.report.add(kind, "frame jitter at the receiver "+with+", p99.9", "ms", ms(got.Jitter["p99.9"]))
		b.report.add(kind, "packets missing at first "+with, "%", 100*float64(got.Missing)/float64(got.Packets))
	}
	return b.anonymous(kind, with, s)
}

// watch lets the window pass, with profiles if they are wanted. Allocations are
// all in theirs if GODEBUG=memprofilerate=1 is set.
func (b *bench) watch(kind string, n int, s *child) error {
	if !b.profile || n != steps[len(steps)-1] {
		return b.pause(b.Window)
	}
	seconds := fmt.Sprintf("?seconds=%.0f", b.Window.Seconds())
	for name, path := range map[string]string{"cpu": "/profile", "allocs": "/allocs"} {
		var p bytes.Buffer
		if err := s.fetch(http.MethodGet, path+seconds, &p); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.cache, kind+"."+name+".prof"), p.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// twice asks for figures twice, to know how many allocations asking costs.
func (c *child) twice() (asking float64, f figures, err error) {
	first, err := c.figures()
	if err != nil {
		return 0, f, err
	}
	f, err = c.figures()
	return float64(f.Mallocs - first.Mallocs), f, err
}

func (b *bench) anonymous(kind, with string, s *child) error {
	mb, err := memory(s.Process.Pid, "Anonymous")
	if err != nil {
		return err
	}
	b.report.add(kind, "anonymous memory "+with+", as it runs", "MB", mb)
	if err := s.fetch(http.MethodPost, "/collect", io.Discard); err != nil {
		return err
	}
	if mb, err = memory(s.Process.Pid, "Anonymous"); err != nil {
		return err
	}
	b.report.add(kind, "anonymous memory "+with+", after a collection", "MB", mb)
	return nil
}

// firstFrames joins and leaves again and again, at moments that have nothing to do
// with the clip's keyframes.
func (b *bench) firstFrames() error {
	for _, kind := range kinds {
		if err := b.firstFramesOf(kind); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

func (b *bench) firstFramesOf(kind string) error {
	s, err := b.sender(kind)
	if err != nil {
		return err
	}
	defer s.stop()
	v, err := b.start("view", "-to", s.url)
	if err != nil {
		return err
	}
	defer v.stop()
	var all []time.Duration
	for range b.Sessions {
		if err := b.pause(rand.N(clipGOP * frameInterval)); err != nil { //nolint:gosec // no secret
			return err
		}
		var d time.Duration
		if err := v.ask("once", &d); err != nil {
			return err
		}
		all = append(all, d)
	}
	for _, q := range []string{"p50", "p95"} {
		b.report.add(kind, overHTTP(q), "ms", ms(quantile(all, quantiles[q])))
	}
	return nil
}

func overHTTP(q string) string {
	return "time to first frame, sender alone, HTTP signalling, keyframe every 2 s, " + q
}

// stalls measures seven viewers beside an eighth whose relay has stopped reading.
func (b *bench) stalls() error {
	for _, kind := range kinds {
		if err := b.stall(kind); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

func (b *bench) stall(kind string) error {
	r, err := startRelay(relayIP)
	if err != nil {
		return err
	}
	defer r.stop()
	s, err := b.sender(kind, "-relay", r.url)
	if err != nil {
		return err
	}
	defer s.stop()
	good, err := b.start("view", "-to", s.url)
	if err != nil {
		return err
	}
	defer good.stop()
	bad, err := b.start("view", "-to", s.url, "-relayed", relayIP)
	if err != nil {
		return err
	}
	defer bad.stop()
	for range 7 {
		if err := good.ask("join", new(time.Duration)); err != nil {
			return err
		}
	}
	if err := bad.ask("join", new(time.Duration)); err != nil {
		return fmt.Errorf("through the relay: %w", err)
	}
	return b.stalled(kind, r, good)
}

func (b *bench) stalled(kind string, r *relay, good *child) error {
	const settle = 3 * time.Second
	if err := b.pause(settle); err != nil {
		return err
	}
	var got seen
	if err := good.ask("report", &got); err != nil {
		return err
	}
	r.stalled.Store(true)
	if err := b.pause(b.Stall); err != nil {
		return err
	}
	if err := good.ask("report", &got); err != nil {
		return err
	}
	b.report.add(kind, "seven beside a stalled eighth: frame jitter, p99.9", "ms", ms(got.Jitter["p99.9"]))
	b.report.add(kind, "seven beside a stalled eighth: longest time without a frame", "ms", ms(got.Longest))
	b.report.add(kind, "seven beside a stalled eighth: frames that came", "%", 100*float64(got.Frames)/7/(b.Stall.Seconds()*clipRate))
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
