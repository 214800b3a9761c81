package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/capture/v4l2"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
)

// DeviceInfo is one video device as `camd check` shows it.
type DeviceInfo struct {
	v4l2.Device
	Other   bool   // it is no camera, and no worse for that
	Problem string // why it can't be used, in a few words or a sentence; empty if it can
}

// Probe looks at every video device.
func Probe() ([]DeviceInfo, error) { return probe(kernel{}) }

func probe(d driver) ([]DeviceInfo, error) {
	paths, err := d.Paths()
	if err != nil {
		return nil, err
	}
	var l []DeviceInfo
	want := DefaultConfig()
	var names []string
	for _, u := range usable {
		names = append(names, u.pixel.String())
	}
	for _, p := range paths {
		dev, err := d.Describe(p, want.Width, want.Height)
		info := DeviceInfo{Device: dev, Other: notCamera(err)}
		info.Path = p
		if err != nil {
			info.Problem = reason(err)
		} else if _, ok := choose(dev, want); !ok {
			info.Problem = unusable(dev) + "; camd can use " + strings.Join(names, ", ")
		}
		l = append(l, info)
	}
	return l, nil
}

func notCamera(err error) bool { return errors.As(err, new(v4l2.NotCamera)) }

// reason says in a few words why a device can't be used.
func reason(err error) string {
	if what := v4l2.NotCamera(""); errors.As(err, &what) {
		return string(what)
	}
	s := strings.TrimSuffix(explain(err), ".")
	return strings.ToLower(s[:1]) + s[1:]
}

// unusable returns what a device offers of which nothing was chosen.
func unusable(d v4l2.Device) string {
	if len(d.Formats) == 0 {
		return "no format at all"
	}
	var names []string
	for _, f := range d.Formats {
		n := f.Pixel.String()
		if slices.Contains(inPlanes, n) {
			n += " in more than one piece of memory"
		}
		names = append(names, n)
	}
	if n := len(names); n > maxNamed {
		names = append(names[:maxNamed], fmt.Sprintf("%d more", n-maxNamed))
	}
	return "no usable format, only " + strings.Join(names, ", ")
}

// inPlanes are the multi-planar API's formats whose picture lies in several pieces.
var inPlanes = []string{"NM12", "NM21", "NM16", "NM61", "YM12", "YM21", "YM16", "YM61", "YM24", "YM42"}

// tryEvery is how often Try looks whether it knows.
const tryEvery = 20 * time.Millisecond

// enough is how many pictures Try waits for. The first one is an IDR of almost any
// stream; what can't be used, such as a B-frame, follows.
const enough = 8

// Try runs the camera as configured until it is known whether its pictures can be
// used, or ctx ends, and says which. Pictures are encoded, and go nowhere.
func Try(ctx context.Context, cfg Config) (health.Status, error) { return try(ctx, cfg, nil) }

func try(ctx context.Context, cfg Config, src source) (health.Status, error) {
	log := slog.New(slog.DiscardHandler)
	board, feed := health.NewBoard(log), media.NewFeed[*media.AccessUnit]()
	c, err := New(cfg, log, board, feed)
	if err != nil {
		return health.Status{}, err
	}
	if src != nil {
		c.source = src
	}
	defer feed.Want()()
	var came atomic.Int32
	defer feed.Subscribe(func(*media.AccessUnit) { came.Add(1) })()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, func() {}) }()
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	unknown := func() bool {
		state := c.health.Status().State
		return state == health.Starting || state != health.Failed && came.Load() < enough
	}
	for unknown() && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	s := c.health.Status()
	cancel()
	return s, <-done
}
