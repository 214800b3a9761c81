// Command bench measures camd and, in the same run, a plain pion sender that does
// the same work, and prints both as one table. It owns every process that it starts
// and has ended them all when it returns; it asserts nothing about times. Traffic
// stays on this machine. docs/performance.md explains the figures.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

// plan is how long and how often things are measured.
type plan struct {
	Rounds   int           // of camd and plain pion in turn
	Window   time.Duration // of each CPU figure
	Sessions int           // for the time to first frame
	Stall    time.Duration // beside a relay that stopped reading
	Idle     time.Duration
}

var (
	full  = plan{Rounds: 5, Window: 12 * time.Second, Sessions: 30, Stall: 40 * time.Second, Idle: 30 * time.Second}
	quick = plan{Rounds: 1, Window: 4 * time.Second, Sessions: 4, Stall: 15 * time.Second, Idle: 5 * time.Second}
)

// bench is one run.
type bench struct {
	plan
	ctx     context.Context
	clip    string
	cache   string
	camd    string // the daemon's program
	profile bool
	only    string
	report  report
}

// roles are what this program is when it starts itself again.
var roles = map[string]func([]string) error{
	"send-camd": sendCamd, "send-plain": sendPlain, "view": view, "bolt": commitBolt,
	"send-chromium": sendChromium, "link": measureLink, "upload": upload,
}

func main() {
	var err error
	if role := roles[arg(1)]; role != nil {
		err = role(os.Args[2:])
	} else {
		err = run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func arg(i int) string {
	if i < len(os.Args) {
		return os.Args[i]
	}
	return ""
}

func run() error {
	b := &bench{plan: full}
	short := flag.Bool("quick", false, "a short run, whose figures are not for the docs")
	asJSON := flag.Bool("json", false, "print JSON instead of a table")
	flag.StringVar(&b.cache, "cache", ".cache/bench", "folder for the clip and scratch files, on a disk")
	flag.StringVar(&b.camd, "camd", "bin/camd", "the daemon; see make build")
	flag.BoolVar(&b.profile, "profile", false, "write profiles of both senders with 8 viewers into the cache folder")
	flag.StringVar(&b.only, "only", "", "measure only the part whose name begins so, such as \"sender: CPU\"")
	flag.Parse()
	if *short {
		b.plan = quick
	}
	ctx, stop := interruptible()
	defer stop()
	b.ctx = ctx
	if err := b.measure(); err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(b.report)
	}
	return b.report.print(os.Stdout)
}

func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt)
}

// part is what can be measured by itself.
type part struct {
	name string
	run  func() error
	own  bool // it needs another clip than the others
}

func (b *bench) measure() (err error) {
	if err := os.MkdirAll(b.cache, 0o755); err != nil { //nolint:gosec // a cache of public test data
		return err
	}
	b.report.begin(b.plan, b.camd)
	for _, part := range append([]part{
		{"sender: CPU, memory, allocations, latency", b.load, false},
		{"sender: time to first frame", b.firstFrames, false},
		{"sender: seven viewers beside a stalled one", b.stalls, false},
		{"daemon: a camera that can't force keyframes", b.daemonOnFile, false},
		{"daemon: an encoder that can", b.daemonOnEncoder, false},
		{"household: requests, entries, notices", b.requests, false},
		{"household: revocations", b.revocations, false},
		{"household: floods", b.floods, false},
		{"talk: mouth to ear", b.mouthToEar, false},
		{"talk: stages of sound", b.stages, false},
		{"talk: doorbell and snapshots", b.doorbell, false},
		{"browser: first picture and latency", b.browsers, false},
		{"binaries", b.sizes, false},
	}, b.networks()...) {
		if !strings.HasPrefix(part.name, b.only) {
			continue
		}
		if !part.own && b.clip == "" {
			if b.clip, err = clip(b.ctx, b.cache); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "== %s\n", part.name)
		if err := part.run(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.report.end()
	return nil
}

// pause waits, or tells that the run was interrupted.
func (b *bench) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-b.ctx.Done():
		return errors.New("interrupted")
	}
}
