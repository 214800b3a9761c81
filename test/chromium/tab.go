package chromium

import (
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/capture/strip"
)

// patience is for what has to happen in a page.
const patience = 60 * time.Second

// spy keeps the page's connections, since a page shows its own to nobody. inbound gives what
// the last one has received of a kind of media. ways says which way it takes, by the kinds of
// its candidates, and which ways were found.
const spy = `window.spied = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...a) { super(...a); window.spied.push(this); }
};
window.inbound = async (kind) => {
  for (const s of (await window.spied.at(-1).getStats()).values()) if (s.type === 'inbound-rtp' && s.kind === kind) return s;
  return {};
};
window.ways = async (taken) => {
  const all = await window.spied.at(-1).getStats(), list = [...all.values()];
  const { selectedCandidatePairId } = list.find((s) => s.type === 'transport') ?? {};
  return list.filter((s) => s.type === 'candidate-pair' && (taken ? s.id === selectedCandidatePairId : s.state === 'succeeded'))
    .map((s) => all.get(s.localCandidateId).candidateType + ' to ' + all.get(s.remoteCandidateId).candidateType);
};`

// Tab is a browser of a test's own with one page. What fails in it ends the test.
type Tab struct {
	T   *testing.T
	Ctx context.Context // the page's, for chromedp

	mu       sync.Mutex
	troubles []string
}

// NewTab starts a browser until the test ends, with more flags if the test needs them. It
// skips the test if there is no Chromium.
func NewTab(t *testing.T, flags ...chromedp.ExecAllocatorOption) *Tab {
	t.Helper()
	if _, err := os.Stat(Path); err != nil {
		t.Skipf("Debian's chromium is not installed: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	t.Cleanup(cancel)
	ctx, stop, err := Start(ctx, spy, append(flags, chromedp.Flag("autoplay-policy", "no-user-gesture-required"))...)
	if err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	t.Cleanup(stop)
	b := &Tab{T: t, Ctx: ctx}
	b.watch()
	return b
}

// watch collects what a person would see in the browser's console.
func (b *Tab) watch() {
	entries := chromedp.Events(b.Ctx, log.EntryAdded)
	exceptions := chromedp.Events(b.Ctx, runtime.ExceptionThrown)
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

func (b *Tab) note(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubles = append(b.troubles, s)
}

// Quiet reports an error if the browser's console says anything.
func (b *Tab) Quiet() {
	b.T.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.troubles) > 0 {
		b.T.Errorf("the browser's console says:\n%s", strings.Join(b.troubles, "\n"))
	}
}

// Do carries out actions of chromedp.
func (b *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	b.T.Helper()
	if err := chromedp.Do(b.Ctx, actions...); err != nil {
		b.T.Fatalf("browser: %v", err)
	}
}

// Load opens an address anew, also if only its fragment differs from the page's.
func (b *Tab) Load(address string) {
	b.T.Helper()
	if err := Load(b.Ctx, address); err != nil {
		b.T.Fatalf("open %s: %v", address, err)
	}
}

// Eval returns the value of a JavaScript expression. If that is a promise, it waits for it.
func Eval[T any](b *Tab, expression string) T {
	b.T.Helper()
	v, err := Evaluate[T](b.Ctx, expression)
	if err != nil {
		b.T.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Await waits until a JavaScript condition holds, which may be a promise.
func (b *Tab) Await(condition string) {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.Ctx, patience)
	defer cancel()
	if err := Await(ctx, condition); err != nil {
		b.T.Fatalf("%s: %v; the page says %q", condition, err, Eval[string](b, `document.body.innerText`))
	}
}

// Press clicks the button, or the link that looks like one, that begins with a text.
func (b *Tab) Press(text string) {
	b.T.Helper()
	b.Click(fmt.Sprintf(`[...document.querySelectorAll('button, a.button, a.choice, a.row')].find((b) => b.innerText.trim().startsWith(%q) && !b.disabled)`, text))
}

// Click clicks the element that an expression finds, once it is there, stays where it is, and
// nothing lies over it. The click is one of the browser's own.
func (b *Tab) Click(element string) {
	b.T.Helper()
	b.Await(`(async () => {
		const e = ` + element + `;
		if (!e) return false;
		e.scrollIntoView({ block: 'center', behavior: 'instant' });
		const first = e.getBoundingClientRect();
		await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)));
		const r = e.getBoundingClientRect();
		window.at = [r.x + r.width / 2, r.y + r.height / 2];
		return r.x === first.x && r.y === first.y && e.contains(document.elementFromPoint(...window.at));
	})()`)
	at := Eval[[2]float64](b, `window.at`)
	b.Do(chromedp.MouseClickXY(at[0], at[1]))
}

// Resize gives the page another size, of a phone's screen or of a window.
func (b *Tab) Resize(width, height int64, phone bool) {
	b.T.Helper()
	size := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone}
	if _, err := chromedp.Call(b.Ctx, emulation.SetDeviceMetricsOverride, size); err != nil {
		b.T.Fatalf("resize to %d: %v", width, err)
	}
}

// Shot writes what the page looks like into the folder SHOTS, if there is one.
func (b *Tab) Shot(name string) {
	b.T.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	r, err := chromedp.Call(b.Ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err != nil {
		b.T.Fatalf("screenshot: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), r.Data, 0o600); err != nil {
		b.T.Fatal(err)
	}
}

// Image returns the picture of a data URL of PNG that an expression gives.
func (b *Tab) Image(expression string) *image.Gray {
	b.T.Helper()
	_, text, _ := strings.Cut(Eval[string](b, expression), ",")
	m, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	if err != nil {
		b.T.Fatal(err)
	}
	gray := image.NewGray(m.Bounds())
	draw.Draw(gray, gray.Rect, m, image.Point{}, draw.Src)
	return gray
}

// Number waits until a video element shows a picture after the one with a number, and returns
// its own number, which the camera's synthetic source has written into it.
func (b *Tab) Number(video string, after uint32) uint32 {
	b.T.Helper()
	for end := time.Now().Add(patience); ; {
		m := b.Image(`(() => {
			const v = ` + video + `, c = Object.assign(document.createElement('canvas'), { width: v.videoWidth || 1, height: v.videoHeight || 1 });
			c.getContext('2d').drawImage(v, 0, 0);
			return c.toDataURL('image/png');
		})()`)
		n, ok := strip.Read(&image.YCbCr{Y: m.Pix, YStride: m.Stride, Rect: m.Rect, SubsampleRatio: image.YCbCrSubsampleRatio420})
		if ok && n > after {
			return n
		}
		if time.Now().After(end) {
			b.T.Fatalf("no picture after %d: the last is %d (read: %v)", after, n, ok)
		}
		Eval[bool](b, `new Promise((done) => `+video+`.requestVideoFrameCallback(() => done(true)))`)
	}
}
