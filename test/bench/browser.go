package main

import (
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"time"

	"github.com/camd-project/camd/pkg/capture/strip"
	"github.com/camd-project/camd/test/chromium"
)

const (
	mostJoins   = 20
	roundFrames = 60              // whose latency is measured in a round
	settling    = 3 * time.Second // from the first picture to these frames

	firstPicture   = "time to first picture in Chromium, from the click, "
	pictureLatency = "latency in Chromium, from hand-over to display, "
)

// spy is put into both pages. It sees each picture that the browser tells the page of:
// first clicks on an element and gives the milliseconds to the first, pictures gives the next.
const spy = `(() => {
	let seen = () => {};
	const own = HTMLVideoElement.prototype, ask = own.requestVideoFrameCallback;
	own.requestVideoFrameCallback = function (done) {
		return ask.call(this, (now, about) => { seen(this, about); done(now, about); });
	};
	window.first = (element) => new Promise((done) => {
		const began = performance.now();
		seen = () => { seen = () => {}; done(performance.now() - began); };
		element.click();
	});
	window.pictures = (count) => new Promise((done) => {
		const all = [], canvas = new OffscreenCanvas(128, 1).getContext('2d', { willReadFrequently: true });
		seen = (video, about) => {
			canvas.drawImage(video, 0, 16, video.videoWidth, 16, 0, 0, 128, 1); // of the strip's 48 lines
			const green = canvas.getImageData(0, 0, 128, 1).data.filter((_, i) => i % 4 === 1);
			all.push({ strip: btoa(String.fromCharCode(...green)), rtp: about.rtpTimestamp, shown: performance.timeOrigin + about.expectedDisplayTime });
			if (all.length === count) { seen = () => {}; done(all); }
		};
	});
})()`

// plainPage is the least that shows plain pion's picture.
const plainPage = `<!doctype html><html lang="en"><title>plain</title><link rel="icon" href="data:,">
<a class="open">Watch</a><video autoplay muted playsinline></video>
<script>
const video = document.querySelector('video');
const next = () => video.requestVideoFrameCallback(next);
next();
document.querySelector('.open').onclick = async () => {
	window.pc = new RTCPeerConnection();
	pc.addTransceiver('video', { direction: 'recvonly' });
	pc.ontrack = ({ track }) => { video.srcObject = new MediaStream([track]); };
	await pc.setLocalDescription();
	const answer = await fetch('offer', { method: 'POST', body: pc.localDescription.sdp });
	await pc.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
};
</script>`

// handovers are the times at which a sender was given the clip's pictures last, by
// their numbers. The clip is longer than any time between a picture and the question.
type handovers []time.Time

func newHandovers() handovers { return make(handovers, clipSeconds*clipRate) }

// shown is a picture that a page shows.
type shown struct {
	Strip []byte
	RTP   uint32
	Shown float64 // when the browser expected it on the screen, in milliseconds since 1970
}

// number reads the picture's number.
func (s shown) number() (int, bool) {
	m := image.NewYCbCr(image.Rect(0, 0, stripWidth, strip.Height(stripWidth)), image.YCbCrSubsampleRatio420)
	for y := range m.Rect.Dy() {
		copy(m.Y[y*m.YStride:], s.Strip)
	}
	n, ok := strip.Read(m)
	return int(n), ok && n < clipSeconds*clipRate
}

// until returns how many pictures later another was given, by its RTP timestamp.
func (s shown) until(later shown) int {
	return int(math.Round(float64(later.RTP-s.RTP) * clipRate / 90000))
}

// latencies returns how long after its hand-over each picture was shown. A picture is
// left out if its number doesn't follow the one before as its RTP timestamp does: the
// browser had put another into the canvas than the one that it told of.
func (h handovers) latencies(l []shown) (all []time.Duration, err error) {
	before := shown{}
	last, known := 0, false
	for _, s := range l {
		n, ok := s.number()
		follows := ok && known && (n-last+len(h))%len(h) == before.until(s)
		before, last, known = s, n, ok
		if !follows || h[n].IsZero() {
			continue
		}
		d := time.UnixMicro(int64(1000 * s.Shown)).Sub(h[n])
		if d < 0 || d > clipSeconds*time.Second/2 {
			return nil, fmt.Errorf("picture %d was shown %v after its hand-over: the clocks differ", n, d)
		}
		all = append(all, d)
	}
	if 2*len(all) < len(l) {
		return nil, fmt.Errorf("only %d of %d pictures can be told apart", len(all), len(l))
	}
	return all, nil
}

// tab is a browser of its own with one of the pages.
type tab struct {
	kind  string
	ctx   context.Context
	close func()
	ready string // a condition: the camera can be clicked on
	leave string // an expression that ends the session
	// record begins to note hand-overs; what it returns ends that, and gives them.
	record func() (func() (handovers, error), error)

	firsts, latencies []time.Duration
}

// closes adds what is to be closed after the browser.
func (t *tab) closes(more func()) {
	own := t.close
	t.close = func() { own(); more() }
}

// browsers measures what somebody in front of a browser sees.
func (b *bench) browsers() error {
	if _, err := os.Stat(chromium.Path); err != nil {
		fmt.Fprintln(os.Stderr, "   nothing about browsers: Debian's chromium is not installed")
		return nil //nolint:nilerr // it was said
	}
	camd, err := b.ownersPage()
	if err != nil {
		return err
	}
	defer camd.close()
	plain, err := b.plainPage()
	if err != nil {
		return err
	}
	defer plain.close()
	tabs := []*tab{camd, plain}
	for range min(b.Sessions, mostJoins) {
		if err := b.inTurn(tabs, func(*tab) error { return nil }); err != nil {
			return err
		}
	}
	for _, t := range tabs {
		b.quantiles(t, firstPicture, t.firsts)
	}
	for range b.Rounds {
		if err := b.inTurn(tabs, b.frames); err != nil {
			return err
		}
	}
	for _, t := range tabs {
		b.quantiles(t, pictureLatency, t.latencies)
	}
	return nil
}

func (b *bench) quantiles(t *tab, figure string, l []time.Duration) {
	for _, q := range []string{"p50", "p95"} {
		b.report.add(t.kind, figure+q, "ms", ms(quantile(l, quantiles[q])))
	}
}

// inTurn clicks on the camera in each page at a random moment, calls watch when the
// first picture is there, and leaves.
func (b *bench) inTurn(tabs []*tab, watch func(*tab) error) error {
	for _, t := range tabs {
		if err := t.await(t.ready); err != nil {
			return err
		}
		if err := b.pause(time.Second + rand.N(clipGOP*frameInterval)); err != nil { //nolint:gosec // no secret
			return err
		}
		took, err := eval[float64](t, `first(document.querySelector('a.open'))`)
		if err != nil {
			return err
		}
		t.firsts = append(t.firsts, time.Duration(took*float64(time.Millisecond)))
		if err := watch(t); err != nil {
			return err
		}
		if _, err := eval[bool](t, t.leave); err != nil {
			return err
		}
	}
	return nil
}

// frames measures the latency of some pictures, and how many of the clip's were shown.
func (b *bench) frames(t *tab) error {
	handed, err := t.record()
	if err != nil {
		return err
	}
	if err := b.pause(settling); err != nil {
		return err
	}
	l, err := eval[[]shown](t, fmt.Sprintf(`pictures(%d)`, roundFrames))
	if err != nil {
		return err
	}
	h, err := handed()
	if err != nil {
		return err
	}
	all, err := h.latencies(l)
	t.latencies = append(t.latencies, all...)
	b.report.add(t.kind, "pictures of the clip that Chromium shows", "%", 100*(roundFrames-1)/float64(l[0].until(l[roundFrames-1])))
	return err
}
