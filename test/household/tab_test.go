package household

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	scripts "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/capture/strip"
	"github.com/camd-project/camd/test/rig"
)

// chromium is where Debian puts it.
const chromium = "/usr/bin/chromium"

// spy keeps the page's connections, since a page shows its own to nobody. It says which way
// the last one takes, by the kinds of its candidates, and which ways were found.
const spy = `window.spied = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...a) { super(...a); window.spied.push(this); }
};
window.ways = async (taken) => {
  const all = await window.spied.at(-1).getStats(), list = [...all.values()];
  const { selectedCandidatePairId } = list.find((s) => s.type === 'transport') ?? {};
  return list.filter((s) => s.type === 'candidate-pair' && (taken ? s.id === selectedCandidatePairId : s.state === 'succeeded'))
    .map((s) => all.get(s.localCandidateId).candidateType + ' to ' + all.get(s.remoteCandidateId).candidateType);
};`

// Parts of the page.
const (
	frame   = `document.querySelector('.frame')`
	picture = `document.querySelector('.frame video')`
	live    = frame + `?.dataset.state === 'live'`
)

// tab is Chromium in a network, with one page.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// openTab starts the browser, which trusts the server's certificate.
func openTab(t *testing.T, network string, flags ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Skipf("Debian's chromium is not installed: %v", err)
	}
	dir, err := os.MkdirTemp("", "tab") // a short path: there will be a socket in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // once chromium has ended, which leaves some of it
	inside := filepath.Join(dir, "chromium")
	script := fmt.Sprintf("#!/bin/sh\nexec ip netns exec %s %s \"$@\"\n", network, chromium)
	if err := os.WriteFile(inside, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*rig.Patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, append(flags, chromedp.ExecPath(inside), chromedp.Headless, chromedp.NoSandbox,
		chromedp.Env("TMPDIR="+dir, "HOME="+dir), chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.WindowSize(1280, 860),
		chromedp.Flag("ignore-certificate-errors-spki-list", authority(t)),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	if _, err := chromedp.Call(ctx, scripts.AddScriptToEvaluateOnNewDocument, scripts.AddScriptToEvaluateOnNewDocumentParams{Source: spy}); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return b
}

// authority is the hash of the key that has signed the server's certificate for browsers, as
// Chromium's flag takes it.
func authority(t *testing.T) string {
	t.Helper()
	c, err := tls.Dial("tcp", host+":443", &tls.Config{MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	sent := c.ConnectionState().PeerCertificates
	sum := sha256.Sum256(sent[len(sent)-1].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (b *tab) open(address string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(address)); err != nil {
		b.t.Fatalf("open %s: %v", address, err)
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

// press presses the button that begins with a text.
func (b *tab) press(text string) {
	b.t.Helper()
	button := fmt.Sprintf(`[...document.querySelectorAll('button')].find((b) => b.innerText.trim().startsWith(%q) && !b.disabled)`, text)
	b.await(`Boolean(` + button + `)`)
	eval[bool](b, `(`+button+`.click(), true)`)
}

// number waits for a picture after the one with a number, and returns its own, which the
// camera's synthetic source has written into it.
func (b *tab) number(after uint32) uint32 {
	b.t.Helper()
	for b.ctx.Err() == nil {
		_, text, _ := strings.Cut(eval[string](b, `new Promise((done) => `+picture+`.requestVideoFrameCallback(() => {
			const v = `+picture+`, c = Object.assign(document.createElement('canvas'), { width: v.videoWidth, height: v.videoHeight });
			c.getContext('2d').drawImage(v, 0, 0);
			done(c.toDataURL('image/png'));
		}))`), ",")
		m, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
		if err != nil {
			b.t.Fatal(err)
		}
		gray := image.NewGray(m.Bounds())
		draw.Draw(gray, gray.Rect, m, image.Point{}, draw.Src)
		if n, ok := strip.Read(&image.YCbCr{Y: gray.Pix, YStride: gray.Stride, Rect: gray.Rect, SubsampleRatio: image.YCbCrSubsampleRatio420}); ok && n > after {
			return n
		}
	}
	b.t.Fatalf("no picture after %d", after)
	return 0
}
