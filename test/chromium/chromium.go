// Package chromium drives a page in Debian's Chromium over the DevTools protocol. Start,
// Evaluate and Await return errors, for test/bench. Tab is for tests, and ends them.
package chromium

import (
	"context"
	"os"
	"path/filepath"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Path is where Debian puts Chromium.
const Path = "/usr/bin/chromium"

// Start starts a browser of its own with one page, and returns the page's context for chromedp.
// Each document runs script before its own scripts. More flags come after those that every
// browser here has, and may replace them. The function stop ends the browser and removes its
// files; it is not called after an error.
func Start(ctx context.Context, script string, flags ...chromedp.ExecAllocatorOption) (_ context.Context, stop func(), err error) {
	scratch, err := os.MkdirTemp("", "tab") // a short path: there will be a socket in it
	if err != nil {
		return nil, nil, err
	}
	ctx, end := chromedp.NewExecAllocator(ctx, append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(Path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Env("TMPDIR="+scratch, "HOME="+scratch), chromedp.UserDataDir(filepath.Join(scratch, "profile")),
		chromedp.WindowSize(1280, 860),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	}, flags...)...)
	ctx, closeTab := chromedp.NewContext(ctx)
	stop = func() {
		closeTab()
		end()
		_ = os.RemoveAll(scratch) // of which a process of the browser may still write something
	}
	_, err = chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	if err != nil {
		stop()
		return nil, nil, err
	}
	return ctx, stop, nil
}

// Load opens an address anew, also if only its fragment differs from the page's.
func Load(ctx context.Context, address string) error {
	return chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(address))
}

// Evaluate returns the value of a JavaScript expression. If that is a promise, it waits for it.
func Evaluate[T any](ctx context.Context, expression string) (T, error) {
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Await waits until a JavaScript condition holds, which may be a promise.
func Await(ctx context.Context, condition string) error {
	_, err := Evaluate[bool](ctx, `new Promise((done) => {
		const look = async () => { if (await (`+condition+`)) done(true); else setTimeout(look, 50); };
		look();
	})`)
	return err
}
