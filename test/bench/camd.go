package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/supervise"
)

// maxViewers is the most that pkg/live takes; the bench brings at most 8.
const maxViewers = 16

// camdSender is camd's way of a frame without broker, gate and store: capture's
// file source, the feed, and live.
type camdSender struct {
	server    *live.Server
	published atomic.Uint64
	sessions  atomic.Uint64
	told      live.Distribution // the delays told last; only the bench asks
}

func sendCamd(args []string) error {
	o, err := parseSender(args)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	board := health.NewBoard(log)
	video, audio := media.NewFeed[*media.AccessUnit](), media.NewFeed[*media.AudioFrame]()
	pictures := capture.DefaultConfig()
	pictures.Source, pictures.File, pictures.Rate = capture.SourceFile, o.clip, o.rate
	pictures.BitrateKbps, pictures.KeyframeSeconds = o.kbps, 10 // of an encoder that makes them when asked
	camera, err := capture.New(pictures, log, board, video)
	if err != nil {
		return err
	}
	cfg := live.Config{MaxSessions: maxViewers}
	if o.relay != "" {
		cfg.ICEServers = []live.ICEServer{{URLs: []string{o.relay}, Username: relayUser, Credential: relayPassword}}
	}
	s := &camdSender{}
	deps := live.Deps{Video: video, Audio: audio, Camera: camera, Bitrate: o.kbps * 1000}
	if low := camera.Low(); low != nil {
		deps.LowVideo, deps.LowCamera = low.Feed(), low
	}
	if s.server, err = live.New(cfg, log, board, deps); err != nil {
		return err
	}
	video.Subscribe(func(*media.AccessUnit) { s.published.Add(1) })
	go func() {
		err := supervise.Run(context.Background(), log, func() {}, supervise.Part{Component: s.server, Required: true}, supervise.Part{Component: camera, Required: true})
		panic(fmt.Sprint("sender ended: ", err))
	}()
	return serve(s, o.listen)
}

func (s *camdSender) answer(offer string, complete bool) (string, error) {
	candidates := make(chan proto.Candidates, 64)
	_, sdp, err := s.server.Start(context.Background(), live.Offer{
		Client: "bench", Owner: true, Session: strconv.FormatUint(s.sessions.Add(1), 10), SDP: offer, View: true,
		Signal: func(_ proto.SignalKind, body any) {
			if c, ok := body.(proto.Candidates); ok {
				candidates <- c
			}
		},
	})
	if err != nil || !complete {
		return sdp, err
	}
	var b strings.Builder
	b.WriteString(sdp) // with one section, so what is appended belongs to it
	for done := false; !done; {
		c := <-candidates
		for _, x := range c.Candidates {
			fmt.Fprintf(&b, "a=%s\r\n", x.Candidate)
		}
		done = c.Done
	}
	return b.String(), nil
}

func (s *camdSender) frames() uint64 { return s.published.Load() }

// delays counts each frame once for each viewer. No viewer leaves while delays are
// measured, so the sum over the viewers only grows.
func (s *camdSender) delays() map[string]time.Duration {
	var all, since live.Distribution
	for _, v := range s.server.Viewers() {
		for class, n := range v.Stats.Delay {
			all[class] += n
		}
	}
	for class, n := range all {
		since[class] = n - s.told[class]
	}
	s.told = all
	return quantilesOf(since.Quantile)
}
