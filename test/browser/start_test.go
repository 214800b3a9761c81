package browser

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/health"
	sessions "github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/chromium"
)

// loop is a camera that gives a clip's pictures from one to another, again and again.
type loop struct {
	video *media.Feed[*media.AccessUnit]
	units []avc.Unit
	level string
}

func (l *loop) RequestKeyframe() {}
func (l *loop) SetBitrate(int)   {}
func (l *loop) Bitrate() int     { return 0 }
func (l *loop) Format() (media.VideoFormat, bool) {
	return media.VideoFormat{Width: 64, Height: 48, Rate: 15, ProfileLevelID: l.level}, true
}

func (l *loop) play(ctx context.Context) {
	pool := media.NewPool[media.AccessUnit](4)
	tick := time.NewTicker(time.Second / 15)
	defer tick.Stop()
	for i := 0; ; i++ {
		from := l.units[i%len(l.units)]
		u := pool.Get()
		u.Data, u.PTS = append(u.Data, from.Data...), media.Now()
		u.Key, u.Gradual = from.Key || from.Recovers, !from.Key
		l.video.Publish(u)
		u.Release()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// newLoop reads a clip of pkg/capture's tests.
func newLoop(t *testing.T, clip string, from, to int) *loop {
	data, err := os.ReadFile("../../pkg/capture/testdata/" + clip)
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{video: media.NewFeed[*media.AccessUnit]()}
	for u, rest := avc.NextUnit(data); u.Data != nil; u, rest = avc.NextUnit(rest) {
		l.units = append(l.units, u)
	}
	s, err := avc.ParseSPS(avc.SetsIn(data).SPS(l.units[0].Data))
	if err != nil {
		t.Fatal(err)
	}
	l.level, l.units = s.ProfileLevelID, l.units[from:to]
	return l
}

// TestABrowserShowsCamerasH264 has Chromium watch odd cameras. It shows why camd tells
// browsers that one with intra refresh is not for them: of recovery points Chromium shows
// nothing, and it is sent away with a word; of the same camera's IDR it shows the picture.
func TestABrowserShowsCamerasH264(t *testing.T) {
	const asOffered = "offer"
	for name, c := range map[string]struct {
		clip     string
		from, to int
		offer    string // what camd gets of the browser's
		shown    bool
	}{
		"an IDR every four seconds": {"refresh.h264", 0, 60, asOffered, true},
		"recovery points":           {"refresh.h264", 60, 180, asOffered, false},
		"odd constraint flags":      {"flags.h264", 0, 28, asOffered, true},
		"no profile-level-id":       {"flags.h264", 0, 28, `offer.replaceAll(/;profile-level-id=\w+/g, '')`, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t, c.clip, c.from, c.to)
			log := slog.New(slog.DiscardHandler)
			s, err := sessions.New(sessions.DefaultConfig(), log, health.NewBoard(log), sessions.Deps{Video: l.video, Audio: media.NewFeed[*media.AudioFrame](), Camera: l})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ready, done, played := make(chan struct{}), make(chan struct{}), make(chan struct{})
			go func() { defer close(done); _ = s.Run(ctx, func() { close(ready) }) }()
			<-ready
			go func() { defer close(played); l.play(ctx) }()
			t.Cleanup(func() { cancel(); <-done; <-played })

			b := open(t)
			b.Do(chromedp.Navigate("data:text/html,<title>x</title><video id=picture muted autoplay></video>"))
			offer := chromium.Eval[string](b, `(async () => {
				window.pc = new RTCPeerConnection();
				pc.addTransceiver('video', { direction: 'recvonly' });
				pc.ontrack = ({ track }) => { picture.srcObject = new MediaStream([track]); };
				await pc.setLocalDescription();
				const offer = pc.localDescription.sdp;
				return `+c.offer+`;
			})()`)
			x, answer, err := s.Start(ctx, sessions.Offer{Client: "c", Sponsor: "c", Owner: true, Session: "s", SDP: offer, View: true, Signal: func(proto.SignalKind, any) {}})
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			chromium.Eval[bool](b, `pc.setRemoteDescription({ type: 'answer', sdp: `+string(text)+` }).then(() => true)`)
			if c.shown {
				b.Await(`inbound('video').then((s) => s.framesDecoded > 20)`)
				return
			}
			<-x.Done()
			if got := x.Reason(); got != proto.EndPicture {
				t.Errorf("the session ended with %q, want %q", got, proto.EndPicture)
			}
			if n := chromium.Eval[int](b, `inbound('video').then((s) => s.framesDecoded ?? 0)`); n != 0 {
				t.Errorf("Chromium shows %d pictures that begin at a recovery point: let it", n)
			}
			if n := chromium.Eval[int](b, `inbound('video').then((s) => s.packetsReceived)`); n < 50 {
				t.Errorf("it got %d packets", n)
			}
		})
	}
}
