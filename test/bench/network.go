package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/camd-project/camd/test/netlab"
)

// What senders play over links: 720p with noise, which takes all the bits that it is given. The
// H.264 has a key frame every 10 s, and a buffer that lets it grow to a second's worth.
const (
	netRate   = 15 // pictures per second
	netKbps   = 2900
	netGOP    = 10 * netRate
	rawLength = 10 // seconds of raw pictures
	rawClip   = ".y4m"
)

// networkLink is a home's uplink, and what else happens there.
type networkLink struct {
	name string
	netlab.Path
	netlab.Queue
	steps  []int        // rates that it changes to
	slow   netlab.Queue // of a second viewer's downlink
	upload bool         // another computer of the home sends by TCP
	turn   bool         // by a relay, over TCP
	home   bool         // the viewer is at home
}

// across is the way from the home to a viewer in the same country.
var across = netlab.Path{Delay: 10 * time.Millisecond}

// bits is a rate in Mbit/s with a queue of so many milliseconds.
func bits(mbit float64, queue int) netlab.Queue {
	return netlab.Queue{Rate: int(mbit * 1e6), Max: time.Duration(queue) * time.Millisecond}
}

var networkLinks = []networkLink{
	{name: "LAN", home: true},
	{name: "20 Mbit/s, 50 ms of queue", Path: across, Queue: bits(20, 50)},
	{name: "12 Mbit/s, 150 ms of queue", Path: across, Queue: bits(12, 150)},
	{name: "5 Mbit/s, 300 ms of queue", Path: across, Queue: bits(5, 300)},
	{name: "1.5 Mbit/s, 500 ms of queue", Path: across, Queue: bits(1.5, 500)},
	{name: "12, 2 and 12 Mbit/s", Path: across, Queue: bits(12, 150), steps: []int{2_000_000, 12_000_000}},
	{name: "2 % of loss", Path: netlab.Path{Delay: 20 * time.Millisecond, Loss: 0.02, Seed: 1}, Queue: bits(12, 150)},
	{name: "5 % of loss in bursts", Path: netlab.Path{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.05, Burst: 4, Seed: 2}, Queue: bits(12, 150)},
	{name: "another viewer has 1 Mbit/s", Path: across, Queue: bits(20, 100), slow: bits(1, 300)},
	{name: "an upload by TCP beside it", Path: across, Queue: bits(12, 150), upload: true},
	{name: "TURN over TCP, 4 Mbit/s", Path: across, Queue: bits(4, 200), turn: true},
}

// networkSenders are compared in pairs that get the same pictures.
var networkSenders = []struct {
	what, kind, baseline, named string
	raw                         bool
}{
	{"camd's encoder (baseline: Chromium)", "camd", "chromium", "Chromium", true},
	{"H.264 that can't be changed (baseline: plain pion)", "camd", "plain", "plain pion", false},
}

// networks are the parts that measure one link each.
func (b *bench) networks() (l []part) {
	for _, link := range networkLinks {
		l = append(l, part{"network: " + link.name, func() error { return b.network(link) }, true})
	}
	return l
}

func (b *bench) network(link networkLink) error {
	if err := netlab.Missing(); err != nil {
		fmt.Fprintf(os.Stderr, "   nothing about networks: %v\n", err)
		return nil
	}
	for _, s := range networkSenders {
		if s.baseline == "chromium" && !hasChromium() {
			fmt.Fprintln(os.Stderr, "   nothing about Chromium: Debian's is not installed")
			continue
		}
		clip, err := b.networkClip(s.raw)
		if err != nil {
			return err
		}
		own, err := b.linkOf(link, s.kind, clip)
		if err != nil {
			return fmt.Errorf("%s: %w", s.kind, err)
		}
		other, err := b.linkOf(link, s.baseline, clip)
		if err != nil {
			return fmt.Errorf("%s: %w", s.baseline, err)
		}
		b.linkRows(link, link.name+", "+s.what+": ", own, other)
	}
	return nil
}

// linkOf measures one sender in a process with namespaces of its own.
func (b *bench) linkOf(link networkLink, kind, clip string) (f linkFigures, err error) {
	fmt.Fprintf(os.Stderr, "   %s, %s\n", kind, filepath.Base(clip))
	cmd := netlab.Command("link", "-link", link.name, "-kind", kind, "-clip", clip,
		"-joins", fmt.Sprint(min(b.Sessions, mostJoins)), "-window", fmt.Sprint(max(b.Window, time.Duration(len(link.steps)+1)*b.Window)))
	scratch, err := os.MkdirTemp("", "net-") // whatever is left there by what is killed; Chromium needs a short path
	if err != nil {
		return f, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	cmd.Env = append(cmd.Env, "TMPDIR="+scratch)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(out, &f)
}

func (b *bench) linkRows(link networkLink, what string, own, other linkFigures) {
	row := func(figure, unit string, of func(linkFigures) float64) {
		b.report.pair(what+figure, unit, of(own), of(other))
	}
	for _, q := range []string{"p50", "p95"} {
		row("first picture, "+q, "ms", func(f linkFigures) float64 { return ms(quantile(f.Joins, quantiles[q])) })
	}
	row("pictures shown", "%", func(f linkFigures) float64 { return 100 * f.Shown })
	row("frozen", "ms/min", func(f linkFigures) float64 { return f.Frozen })
	if link.Rate == 0 {
		if !strings.Contains(what, "Chromium") { // which does much more in the process that is started
			row("CPU", "% of a core", func(f linkFigures) float64 { return 100 * f.CPU })
		}
		return
	}
	row("wait in the queue, p95", "ms", func(f linkFigures) float64 { return ms(f.Queue) })
	row("packets that the queue drops", "", func(f linkFigures) float64 { return float64(f.Dropped) })
	row("sent", "kbit/s", func(f linkFigures) float64 { return f.Kbps })
	row("share of the link used", "%", func(f linkFigures) float64 { return 100 * f.Used })
	if link.slow.Rate > 0 {
		row("the other viewer's pictures shown", "%", func(f linkFigures) float64 { return 100 * f.Slow.Shown })
		row("the other viewer's picture frozen", "ms/min", func(f linkFigures) float64 { return f.Slow.Frozen })
		row("wait in the other viewer's queue, p95", "ms", func(f linkFigures) float64 { return ms(f.Slow.Queue) })
	}
	if len(link.steps) > 0 {
		row("from the step down until the queue is short", "ms", func(f linkFigures) float64 { return ms(f.DownStep) })
		row("from the step up until as much is sent as before", "ms", func(f linkFigures) float64 { return ms(f.UpStep) })
	}
}

// networkClip makes one of the clips once and returns its path.
func (b *bench) networkClip(raw bool) (string, error) {
	format, name, seconds := "h264", fmt.Sprintf("net-720p%d-%dk-gop%d.h264", netRate, netKbps, netGOP), clipSeconds
	if raw {
		format, name, seconds = "yuv4mpegpipe", fmt.Sprintf("net-720p%d%s", netRate, rawClip), rawLength
	}
	path, err := filepath.Abs(filepath.Join(b.cache, name))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	fmt.Fprintf(os.Stderr, "== making %s (once)\n", name)
	return path, makeClip(b.ctx, path, format, seconds)
}

func makeClip(ctx context.Context, path, format string, seconds int) error {
	bits := fmt.Sprintf("%dk", netKbps)
	args := []string{"-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi",
		"-i", fmt.Sprintf("testsrc2=size=1280x720:rate=%d,noise=alls=12:allf=t", netRate), "-t", fmt.Sprint(seconds), "-pix_fmt", "yuv420p"}
	if format == "h264" {
		args = append(args, "-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast",
			"-b:v", bits, "-maxrate", bits, "-bufsize", bits, "-g", fmt.Sprint(netGOP), "-keyint_min", fmt.Sprint(netGOP), "-sc_threshold", "0",
			"-x264-params", "repeat-headers=1:slices=1:sliced-threads=0")
	}
	part := path + ".part"
	if out, err := exec.CommandContext(ctx, "ffmpeg", append(args, "-f", format, part)...).CombinedOutput(); err != nil { //nolint:gosec // constants
		return fmt.Errorf("make a clip by ffmpeg: %w\n%s", err, out)
	}
	return os.Rename(part, path)
}
