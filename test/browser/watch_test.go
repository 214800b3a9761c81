package browser

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/capture/strip"
	"github.com/camd-project/camd/test/rig"
)

// number reads the number that the synthetic source has written into the picture that is shown.
func (o owner) number() (n uint32, ok bool) {
	o.t.Helper()
	_, text, _ := strings.Cut(eval[string](o.tab, `(() => {
		const v = `+picture+`, c = Object.assign(document.createElement('canvas'), { width: v.videoWidth, height: v.videoHeight });
		c.getContext('2d').drawImage(v, 0, 0);
		return c.toDataURL('image/png');
	})()`), ",")
	m, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	if err != nil {
		o.t.Fatal(err)
	}
	gray := image.NewGray(m.Bounds())
	draw.Draw(gray, gray.Rect, m, image.Point{}, draw.Src)
	return strip.Read(&image.YCbCr{Y: gray.Pix, YStride: gray.Stride, Rect: gray.Rect, SubsampleRatio: image.YCbCrSubsampleRatio420})
}

// next waits for a picture after the one with a number.
func (o owner) next(after uint32) uint32 {
	o.t.Helper()
	for end := time.Now().Add(rig.Patience); ; {
		n, ok := o.number()
		if ok && n > after {
			return n
		}
		if time.Now().After(end) {
			o.t.Fatalf("no picture after %d: the last is %d (read: %v)", after, n, ok)
		}
		eval[bool](o.tab, `new Promise((done) => `+picture+`.requestVideoFrameCallback(() => done(true)))`)
	}
}

// tone waits until what is heard is the source's beep of 1 kHz, and returns the frequency.
const tone = `new Promise((done) => {
	const context = new AudioContext();
	const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
	context.createMediaStreamSource(` + picture + `.srcObject).connect(analyser);
	const bins = new Float32Array(analyser.frequencyBinCount);
	const look = () => {
		analyser.getFloatFrequencyData(bins);
		const at = bins.indexOf(Math.max(...bins));
		if (bins[at] < -45) { setTimeout(look, 20); return; }
		context.close();
		done(at * context.sampleRate / analyser.fftSize);
	};
	look();
})`

func TestANewOwnerPairsAndWatches(t *testing.T) {
	b, d := open(t), startDemo(t)
	o := d.visit(b)
	b.await(shows("Open the demo camera"))
	b.shot("demo-welcome")
	o.press("Open the demo camera")
	b.await(live)
	b.await(shows("Demo camera"))
	b.await(watchedBy("Only you are watching"))
	b.await(picture + `.videoWidth === 1280 && ` + picture + `.videoHeight === 720`)
	first := o.next(0)
	if last := o.next(first + 10); last-first > 1000 {
		t.Errorf("the pictures %d and %d are no sequence", first, last)
	}
	if lost := eval[int](b, `inbound('video').then((s) => s.packetsLost)`); lost != 0 {
		t.Errorf("%d packets of the picture were lost on this machine", lost)
	}
	o.press("Sound")
	b.await(`!` + picture + `.muted`)
	if hz := eval[float64](b, tone); hz < 950 || hz > 1050 {
		t.Errorf("the beep has %.0f Hz", hz)
	}
	b.await(shows("Anna began to watch and listen"))

	_, words := o.key() // stays
	b.do(chromedp.Reload())
	if key, again := o.key(); again != words || !strings.HasPrefix(key, "CAMD-KEY:1?") || len(strings.Fields(words)) != 6 {
		t.Errorf("the key is %q, with the words %q; before it was %q", key, again, words)
	}
	o.screen("live")
	b.await(live)
	b.quiet()

	b.do(chromedp.Navigate("about:blank"))
	d.awaitNobody() // leaving the page was the bye
}

// TestTheStageHasThePicturesShape looks at a wide window and at a phone's.
func TestTheStageHasThePicturesShape(t *testing.T) {
	b, d := open(t), startDemo(t)
	d.pair(b)
	for _, size := range [][2]int64{{1280, 860}, {390, 844}} {
		b.resize(size[0], size[1])
		b.await(`innerWidth === ` + strconv.FormatInt(size[0], 10) + ` && ` + live)
		const box = stage + `.getBoundingClientRect()`
		if off := eval[float64](b, `Math.abs(`+box+`.width * `+picture+`.videoHeight / `+picture+`.videoWidth - `+box+`.height)`); off > 1 {
			t.Errorf("at %d: the stage is %.1f pixels higher or lower than the picture", size[0], off)
		}
		if off := eval[float64](b, `document.documentElement.scrollWidth - innerWidth`); off > 0 {
			t.Errorf("at %d: the page is %.0f pixels too wide", size[0], off)
		}
		if w := eval[float64](b, box+`.width`); w < 0.45*float64(size[0]) {
			t.Errorf("at %d: the picture is only %.0f wide", size[0], w)
		}
		if low := eval[float64](b, `document.querySelector('#talk').getBoundingClientRect().bottom - innerHeight`); low > 0 {
			t.Errorf("at %d: the talk button is %.0f pixels below what one sees", size[0], low)
		}
		b.shot(fmt.Sprintf("demo-live-%d", size[0]))
	}
}

// TestThePageShowsNothingOldAsNew has a camera that stops as it stands, and goes on.
func TestThePageShowsNothingOldAsNew(t *testing.T) {
	b, d := open(t), startDemo(t)
	d.pair(b)
	camd := d.child()
	if err := syscall.Kill(camd, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(camd, syscall.SIGCONT) }() // it may go on already
	b.await(stage + `?.dataset.state !== 'live'`)
	b.shot("demo-stalled")
	if err := syscall.Kill(camd, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b.await(live)
}

func TestThePageTellsWhenTheCameraIsGone(t *testing.T) {
	b, d := open(t), startDemo(t)
	d.pair(b)
	d.stop()
	b.await(stage + `?.dataset.state === 'off' && ` + nothing)
	b.await(`document.querySelector('[role=switch]').disabled`)
	b.shot("demo-gone")
}

func TestRecordingPlaysInABrowser(t *testing.T) {
	b, d := open(t), startDemo(t)
	o := d.pair(b)
	d.letBenIn(o)
	file := filepath.Join(t.TempDir(), "out.mp4")
	d.ben("record", "--seconds", "3", file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/out.mp4" {
			http.ServeContent(w, r, "out.mp4", timeOf(t, file), bytes.NewReader(data))
			return
		}
		_, _ = fmt.Fprint(w, `<!doctype html><title>x</title><link rel="icon" href="data:,"><video id="played" src="out.mp4" muted autoplay></video>`)
	}))
	defer server.Close()
	const played = `document.getElementById('played')`
	b.do(chromedp.Navigate(server.URL))
	b.await(played + `.ended`)
	if e := eval[string](b, `String(`+played+`.error?.message ?? '')`); e != "" {
		t.Errorf("the browser says: %s", e)
	}
	if w, s := eval[int](b, played+`.videoWidth`), eval[float64](b, played+`.currentTime`); w != 1280 || s < 2.5 || s > 4 {
		t.Errorf("played %d pixels wide for %.1f s, want 1280 and about 3", w, s)
	}
	if n := eval[int](b, played+`.getVideoPlaybackQuality().totalVideoFrames`); n < 20 {
		t.Errorf("%d pictures were shown, want about 45", n)
	}
	if n := eval[int](b, played+`.webkitAudioDecodedByteCount`); n == 0 {
		t.Error("no sound was decoded")
	}
	b.quiet()
}
