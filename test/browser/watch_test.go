package browser

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/chromium"
)

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
	b.Await(shows("Open the demo camera"))
	b.Shot("demo-welcome")
	o.Press("Open the demo camera")
	b.Await(live)
	b.Await(shows("Demo camera"))
	b.Await(watchedBy("Only you are watching"))
	b.Await(picture + `.videoWidth === 1280 && ` + picture + `.videoHeight === 720`)
	first := b.Number(picture, 0)
	if last := b.Number(picture, first+10); last-first > 1000 {
		t.Errorf("the pictures %d and %d are no sequence", first, last)
	}
	if lost := chromium.Eval[int](b, `inbound('video').then((s) => s.packetsLost)`); lost != 0 {
		t.Errorf("%d packets of the picture were lost on this machine", lost)
	}
	o.Press("Sound")
	b.Await(`!` + picture + `.muted`)
	if hz := chromium.Eval[float64](b, tone); hz < 950 || hz > 1050 {
		t.Errorf("the beep has %.0f Hz", hz)
	}
	b.Await(shows("Anna began to watch and listen"))

	_, words := o.key() // stays
	b.Do(chromedp.Reload())
	if key, again := o.key(); again != words || !strings.HasPrefix(key, "CAMD-KEY:1?") || len(strings.Fields(words)) != 6 {
		t.Errorf("the key is %q, with the words %q; before it was %q", key, again, words)
	}
	o.screen("live")
	b.Await(live)
	b.Quiet()

	b.Do(chromedp.Navigate("about:blank"))
	d.awaitNobody() // leaving the page was the bye
}

// TestTheStageHasThePicturesShape looks at a wide window and at a phone's.
func TestTheStageHasThePicturesShape(t *testing.T) {
	b, d := open(t), startDemo(t)
	d.pair(b)
	for _, size := range [][2]int64{{1280, 860}, {390, 844}} {
		b.Resize(size[0], size[1], false)
		b.Await(`innerWidth === ` + strconv.FormatInt(size[0], 10) + ` && ` + live)
		const box = stage + `.getBoundingClientRect()`
		if off := chromium.Eval[float64](b, `Math.abs(`+box+`.width * `+picture+`.videoHeight / `+picture+`.videoWidth - `+box+`.height)`); off > 1 {
			t.Errorf("at %d: the stage is %.1f pixels higher or lower than the picture", size[0], off)
		}
		if off := chromium.Eval[float64](b, `document.documentElement.scrollWidth - innerWidth`); off > 0 {
			t.Errorf("at %d: the page is %.0f pixels too wide", size[0], off)
		}
		if w := chromium.Eval[float64](b, box+`.width`); w < 0.45*float64(size[0]) {
			t.Errorf("at %d: the picture is only %.0f wide", size[0], w)
		}
		if low := chromium.Eval[float64](b, `document.querySelector('#talk').getBoundingClientRect().bottom - innerHeight`); low > 0 {
			t.Errorf("at %d: the talk button is %.0f pixels below what one sees", size[0], low)
		}
		b.Shot(fmt.Sprintf("demo-live-%d", size[0]))
	}
}

// TestAPersonChoosesTheStream asks for the small picture and for the full one. The choice stays
// when the picture comes anew.
func TestAPersonChoosesTheStream(t *testing.T) {
	b, d := open(t), startDemo(t)
	o := d.pair(b)
	o.Press("More")
	b.Await(chosen("Automatic"))
	b.Click(label("Small picture"))
	b.Await(picture + `.videoWidth === 640 && ` + shows("Small picture, as you chose"))
	b.Shot("demo-small")
	o.screen("people")
	b.Resize(390, 844, false) // there the picture goes when one reads
	b.Await(`document.querySelector('video') === null`)
	o.screen("live")
	b.Await(live + ` && ` + picture + `.videoWidth === 640 && ` + shows("Small picture, as you chose"))
	o.Press("More")
	b.Await(chosen("Small picture"))
	b.Click(label("Full picture"))
	b.Await(picture + `.videoWidth === 1280 && ` + stage + `.querySelector('.sent').innerText === ''`)
	b.Quiet()
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
	b.Await(stage + `?.dataset.state !== 'live'`)
	b.Shot("demo-stalled")
	if err := syscall.Kill(camd, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b.Await(live)
}

func TestThePageTellsWhenTheCameraIsGone(t *testing.T) {
	b, d := open(t), startDemo(t)
	d.pair(b)
	d.stop()
	b.Await(stage + `?.dataset.state === 'off' && ` + nothing)
	b.Await(shows("The demo has ended, or this browser can't reach it.") + ` && ` + offers("Try again now"))
	b.Await(`document.querySelector('[role=switch]').disabled && document.querySelector('.watchers') === null`)
	b.Shot("demo-gone")
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
	b.Do(chromedp.Navigate(server.URL))
	b.Await(played + `.ended`)
	if e := chromium.Eval[string](b, `String(`+played+`.error?.message ?? '')`); e != "" {
		t.Errorf("the browser says: %s", e)
	}
	if w, s := chromium.Eval[int](b, played+`.videoWidth`), chromium.Eval[float64](b, played+`.currentTime`); w != 1280 || s < 2.5 || s > 4 {
		t.Errorf("played %d pixels wide for %.1f s, want 1280 and about 3", w, s)
	}
	if n := chromium.Eval[int](b, played+`.getVideoPlaybackQuality().totalVideoFrames`); n < 20 {
		t.Errorf("%d pictures were shown, want about 45", n)
	}
	if n := chromium.Eval[int](b, played+`.webkitAudioDecodedByteCount`); n == 0 {
		t.Error("no sound was decoded")
	}
	b.Quiet()
}
