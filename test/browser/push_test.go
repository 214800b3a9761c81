package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/chromium"
)

// hear keeps what the page's broker sends, as it came.
const hear = `window.heard = [];
window.WebSocket = class extends WebSocket {
  constructor(...a) {
    super(...a);
    this.addEventListener('message', ({ data }) => window.heard.push(new TextDecoder('latin1').decode(data)));
  }
};`

// sealed are the sealed messages among what was heard.
const sealed = `window.heard.map((m) => /eyJ[A-Za-z0-9_.-]+/.exec(m)?.[0]).filter(Boolean)`

// notices are those that the browser shows, as title and text.
const notices = `navigator.serviceWorker.getRegistration().then((r) => r.getNotifications()).then((all) => all.map((n) => n.title + ': ' + n.body))`

// TestAPushIsShownIfTheCameraHasSignedIt delivers to the page's service worker what a push
// service would: the notice that the camera has sent, and what nobody's camera has.
func TestAPushIsShownIfTheCameraHasSignedIt(t *testing.T) {
	d := startDemo(t)
	b := open(t)
	origin := strings.TrimSuffix(d.Address, "/")
	allow := browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: browser.PermissionSettingGranted, Origin: origin}
	if _, err := chromedp.CallBrowser(b.Ctx, browser.SetPermission, allow); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(b.Ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: hear}); err != nil {
		t.Fatal(err)
	}
	deliver := pushes(t, b, origin)
	d.pair(b)
	b.Await(`navigator.serviceWorker.ready.then(() => true)`)

	const unknown = notices + `.then((all) => all.join() === 'Notices: A message came that this page can’t read. Open it to see what is new.')`
	for tries := 0; !chromium.Eval[bool](b, unknown); tries++ { // on a busy machine, Chromium has lost what was handed over
		if tries == 10 {
			t.Fatal("no message is shown")
		}
		deliver("hello")
		b.Await(`(window.looks = (window.looks ?? 0) + 1) % 100 === 0 || ` + unknown)
	}

	d.atCamera("ring")
	b.Await(shows("Someone rang the bell."))
	for named := false; !named; { // the page may have read of the ring before its notice came, and may not have kept the camera's name yet
		messages := chromium.Eval[[]string](b, sealed)
		for _, message := range messages {
			deliver(message)
		}
		b.Await(fmt.Sprintf(`%s.then((all) => all.some((n) => n.endsWith(': Someone rang the bell.')) || %s.length > %d)`, notices, sealed, len(messages)))
		named = chromium.Eval[bool](b, notices+`.then((all) => all.includes('Demo camera: Someone rang the bell.'))`)
	}
	b.Quiet()
}

// pushes returns what hands a message to the page's service worker.
func pushes(t *testing.T, b *chromium.Tab, origin string) func(message string) {
	t.Helper()
	updates := chromedp.Events(b.Ctx, serviceworker.WorkerRegistrationUpdated)
	first := make(chan serviceworker.RegistrationID, 1)
	go func() {
		for e, err := range updates {
			if err != nil {
				return
			}
			for _, r := range e.Registrations {
				select {
				case first <- r.RegistrationID:
				default: // it is known
				}
			}
		}
	}()
	if _, err := chromedp.Call(b.Ctx, serviceworker.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	var id serviceworker.RegistrationID
	return func(message string) {
		t.Helper()
		if id == "" {
			select {
			case id = <-first:
			case <-b.Ctx.Done():
				t.Fatal("the page registers no service worker")
			}
		}
		if _, err := chromedp.Call(b.Ctx, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{Origin: origin, RegistrationID: id, Data: message}); err != nil {
			t.Fatal(err)
		}
	}
}
