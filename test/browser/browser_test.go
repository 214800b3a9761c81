package browser

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/rig"
)

// chromium is where Debian puts it.
const chromium = "/usr/bin/chromium"

// spy keeps the page's connections, since a page shows its own to nobody.
const spy = `window.spied = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...a) { super(...a); window.spied.push(this); }
};
window.inbound = async (kind) => {
  for (const s of (await window.spied.at(-1).getStats()).values()) if (s.type === 'inbound-rtp' && s.kind === kind) return s;
  return {};
};`

// tab is a browser with one page.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	troubles []string
}

// open starts the browser, with more flags if a test needs them.
func open(t *testing.T, more ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Skipf("Debian's chromium is not installed: %v", err)
	}
	scratch, err := os.MkdirTemp("", "tab") // a short path: there will be a socket in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(scratch) }) // once chromium has ended, which leaves some of it
	ctx, cancel := context.WithTimeout(t.Context(), 2*rig.Patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(more, chromedp.ExecPath(chromium), chromedp.Headless, chromedp.NoSandbox,
		chromedp.Env("TMPDIR="+scratch),
		chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 860),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		// A microphone that beeps, and a person who allows it.
		chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	b.watch()
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: spy}); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return b
}

// watch collects what a person would see in the browser's console.
func (b *tab) watch() {
	entries := chromedp.Events(b.ctx, log.EntryAdded)
	exceptions := chromedp.Events(b.ctx, runtime.ExceptionThrown)
	go func() {
		for e, err := range entries {
			if err != nil {
				return
			}
			b.note(fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	}()
	go func() {
		for e, err := range exceptions {
			if err != nil {
				return
			}
			b.note("exception: " + e.ExceptionDetails.Text)
		}
	}()
}

// resize gives the page another size.
func (b *tab) resize(width, height int64) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1}); err != nil {
		b.t.Fatalf("resize to %d: %v", width, err)
	}
}

// shot writes what the page looks like into the folder SHOTS, if there is one.
func (b *tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	r, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err != nil {
		b.t.Fatalf("screenshot: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), r.Data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) note(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubles = append(b.troubles, s)
}

func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.troubles) > 0 {
		b.t.Errorf("the browser's console says:\n%s", strings.Join(b.troubles, "\n"))
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// eval returns what an expression, a promise too, comes to.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until a condition holds in the page.
func (b *tab) await(condition string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, rig.Patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`new Promise((done) => {
		const look = async () => { if (await (`+condition+`)) done(true); else setTimeout(look, 50); };
		look();
	})`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v; the page says %q", condition, err, eval[string](b, `document.body.innerText`))
	}
}

const (
	// nothingOld holds when no number of before and no picture of before is shown.
	nothingOld = `['size', 'fps', 'delay', 'rate'].every((id) => document.getElementById(id).textContent === '–') && document.getElementById('stage').dataset.old === 'true'`
	numbers    = `['size', 'fps', 'rate'].every((id) => document.getElementById(id).textContent !== '–')`
)

const picture = `document.getElementById('picture')`

func TestPageShowsPictureAndSound(t *testing.T) {
	b, d := open(t), startDemo(t)
	b.do(chromedp.Navigate(d.Address))
	b.await(picture + `.videoWidth === 1280 && ` + picture + `.videoHeight === 720`)
	seen := eval[int](b, picture+`.getVideoPlaybackQuality().totalVideoFrames`)
	b.await(picture + `.getVideoPlaybackQuality().totalVideoFrames > ` + strconv.Itoa(seen+20))
	b.await(`inbound('audio').then((s) => s.packetsReceived > 50)`)
	if shades := eval[int](b, shadesOf(picture)); shades < 8 {
		t.Errorf("the picture has %d shades, so it is blank", shades)
	}
	if lost := eval[int](b, `inbound('video').then((s) => s.packetsLost)`); lost != 0 {
		t.Errorf("%d packets of the picture were lost on this machine", lost)
	}
	b.await(`document.getElementById('state').textContent === 'Live'`)
	b.await(`document.getElementById('name').textContent === 'Demo camera'`)
	b.await(`document.getElementById('watching').textContent === 'Anna'`)
	b.await(`parseFloat(document.getElementById('fps').textContent) > 5`)

	b.do(chromedp.Click(chromedp.ID("sound")))
	b.await(`!` + picture + `.muted && document.getElementById('sound').ariaPressed === 'true'`)
	b.await(`inbound('audio').then((s) => s.totalAudioEnergy > 0)`) // the beep is heard
	b.quiet()

	b.do(chromedp.Navigate("about:blank"))
	d.awaitNobody() // leaving the page was the bye
}

// shadesOf counts the different grey values of a video's picture.
func shadesOf(video string) string {
	return `(() => {
		const c = Object.assign(document.createElement('canvas'), { width: 64, height: 36 }).getContext('2d');
		c.drawImage(` + video + `, 0, 0, 64, 36);
		const data = c.getImageData(0, 0, 64, 36).data;
		return new Set(Array.from({ length: 64 * 36 }, (_, i) => data[4 * i] >> 2)).size;
	})()`
}

func TestPageTellsWhenTheDemoEnds(t *testing.T) {
	b, d := open(t), startDemo(t)
	b.do(chromedp.Navigate(d.Address))
	b.await(picture + `.videoWidth === 1280`)
	d.stop()
	b.await(`!document.getElementById('notice').hidden && document.getElementById('reason').textContent.includes('demo')`)
	b.await(`document.getElementById('state').textContent === 'No picture'`)
	b.await(nothingOld + ` && ` + picture + `.srcObject === null`)
	b.await(watching + ` === '–' && document.getElementById('privacy').disabled`)
}

// TestPageShowsNothingOldAsNew has a camera that stops as it stands, and goes on.
func TestPageShowsNothingOldAsNew(t *testing.T) {
	b, d := open(t), startDemo(t)
	b.do(chromedp.Navigate(d.Address))
	b.await(live)
	b.await(numbers)
	camd := d.child()
	if err := syscall.Kill(camd, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(camd, syscall.SIGCONT) }() // it may go on already
	b.await(`document.getElementById('state').textContent === 'Nothing comes any more' && ` + nothingOld)
	if err := syscall.Kill(camd, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b.await(live)
	b.await(numbers + ` && document.getElementById('stage').dataset.old === 'false'`)
}

// TestStageHasThePicturesShape looks at a wide window and at a phone's.
func TestStageHasThePicturesShape(t *testing.T) {
	b, d := open(t), startDemo(t)
	b.do(chromedp.Navigate(d.Address))
	b.await(live)
	b.await(`document.getElementById('verified').dataset.state === 'good'`)
	for _, width := range []int64{1280, 390} {
		b.resize(width, 860)
		b.await(`innerWidth === ` + strconv.FormatInt(width, 10))
		const stage = `document.getElementById('stage').getBoundingClientRect()`
		if off := eval[float64](b, `Math.abs(`+stage+`.width * `+picture+`.videoHeight / `+picture+`.videoWidth - `+stage+`.height)`); off > 1 {
			t.Errorf("at %d: the stage is %.1f pixels higher or lower than the picture", width, off)
		}
		if off := eval[float64](b, `document.documentElement.scrollWidth - innerWidth`); off > 0 {
			t.Errorf("at %d: the page is %.0f pixels too wide", width, off)
		}
		if w := eval[float64](b, stage+`.width`); w < 0.45*float64(width) {
			t.Errorf("at %d: the picture is only %.0f wide", width, w)
		}
		b.shot(fmt.Sprintf("page-%d", width))
	}
}

func TestRecordingPlaysInABrowser(t *testing.T) {
	b, d := open(t), startDemo(t)
	file := filepath.Join(t.TempDir(), "out.mp4")
	d.run("record", "--seconds", "3", file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/out.mp4" {
			http.ServeContent(w, r, "out.mp4", timeOf(t, file), bytes.NewReader(data))
			return
		}
		_, _ = fmt.Fprint(w, `<!doctype html><title>x</title><link rel="icon" href="data:,"><video id="picture" src="out.mp4" muted autoplay></video>`)
	}))
	defer server.Close()
	b.do(chromedp.Navigate(server.URL))
	b.await(picture + `.ended`)
	if e := eval[string](b, `String(`+picture+`.error?.message ?? '')`); e != "" {
		t.Errorf("the browser says: %s", e)
	}
	if w, s := eval[int](b, picture+`.videoWidth`), eval[float64](b, picture+`.currentTime`); w != 1280 || s < 2.5 || s > 4 {
		t.Errorf("played %d pixels wide for %.1f s, want 1280 and about 3", w, s)
	}
	if n := eval[int](b, picture+`.getVideoPlaybackQuality().totalVideoFrames`); n < 20 {
		t.Errorf("%d pictures were shown, want about 45", n)
	}
	if n := eval[int](b, picture+`.webkitAudioDecodedByteCount`); n == 0 {
		t.Error("no sound was decoded")
	}
	b.quiet()
}
