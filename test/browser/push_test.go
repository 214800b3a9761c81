package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/backgroundservice"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/chromium"
	"github.com/camd-project/camd/test/rig"
	"github.com/camd-project/camd/web"
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

// keptName is what the page has kept as a camera's name, for its service worker.
func keptName(d *demo) string {
	return fmt.Sprintf(`new Promise((done) => {
		indexedDB.open('camd').onsuccess = ({ target: { result: db } }) => {
			db.transaction('kept').objectStore('kept').get('camera/%s').onsuccess = ({ target: { result } }) => { db.close(); done(result?.name); };
		};
	})`, d.Device)
}

const unreadable = "Notices: A message came that this page can’t read. Open it to see what is new."

// TestAPushIsShownIfTheCameraHasSignedIt delivers to the page's service worker what a push
// service would: the notice that the camera has sent, and what nobody's camera has.
func TestAPushIsShownIfTheCameraHasSignedIt(t *testing.T) {
	d := startDemo(t)
	b := open(t)
	p := newPushService(b, d.Address)
	if _, err := chromedp.Call(b.Ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: hear}); err != nil {
		t.Fatal(err)
	}
	d.pair(b)
	if got := p.push("hello"); got != unreadable {
		t.Errorf("of a message that no camera has signed, the browser shows %q", got)
	}

	b.Await(keptName(d) + `.then((name) => name === 'Demo camera')`)
	d.atCamera("ring")
	for heard := 0; ; heard++ {
		b.Await(fmt.Sprintf(`%s.length > %d`, sealed, heard))
		got := p.push(chromium.Eval[[]string](b, sealed)[heard])
		if got == "Demo camera: Someone rang the bell." {
			break // before it come answers, which are shown as what can't be read, and other notices
		}
		if strings.HasSuffix(got, ": Someone rang the bell.") {
			t.Fatalf("the ring is shown as %q", got)
		}
	}
	b.Quiet()
}

// TestAPushIsShownWithoutThePagesServer has the server of the page be silent, as that of a
// household is to a phone elsewhere. A push service is reached all the same.
func TestAPushIsShownWithoutThePagesServer(t *testing.T) {
	var silent atomic.Bool
	files := web.Handler(web.Files, web.Config{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			<-r.Context().Done()
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close) // once the browser has ended, and has hung up
	b := open(t)
	p := newPushService(b, server.URL)
	b.Do(chromedp.Navigate(server.URL))
	b.Await(`navigator.serviceWorker.ready.then((r) => r.active?.state === 'activated')`)
	silent.Store(true)
	if got := p.push("hello"); got != unreadable {
		t.Errorf("the browser shows %q", got)
	}
}

// pushService delivers messages to the service worker of a page, and learns from the browser
// which notices are shown. A page that asks for its notices changes what it asks about: Chromium
// forgets one that is about to be shown (ReadAllNotificationDataForServiceWorkerRegistration).
type pushService struct {
	b      *chromium.Tab
	origin string
	worker chan serviceworker.RegistrationID
	shown  chan string
	id     serviceworker.RegistrationID
}

// newPushService lets the page at an address show notices.
func newPushService(b *chromium.Tab, address string) *pushService {
	b.T.Helper()
	p := &pushService{b: b, origin: strings.TrimSuffix(address, "/"), worker: make(chan serviceworker.RegistrationID, 1), shown: make(chan string, 1)}
	allow := browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: browser.PermissionSettingGranted, Origin: p.origin}
	if _, err := chromedp.CallBrowser(b.Ctx, browser.SetPermission, allow); err != nil {
		b.T.Fatal(err)
	}
	updates := chromedp.Events(b.Ctx, serviceworker.WorkerRegistrationUpdated)
	events := chromedp.Events(b.Ctx, backgroundservice.BackgroundServiceEventReceived)
	go func() {
		for e, err := range updates {
			if err != nil {
				return
			}
			for _, r := range e.Registrations {
				select {
				case p.worker <- r.RegistrationID:
				default: // it is known
				}
			}
		}
	}()
	go func() {
		for e, err := range events {
			if err != nil {
				return
			}
			if e.BackgroundServiceEvent.EventName == "Notification displayed" {
				select {
				case p.shown <- noticeOf(e.BackgroundServiceEvent):
				case <-b.Ctx.Done():
				}
			}
		}
	}()
	const notifications = backgroundservice.ServiceNameNotifications
	_, err := chromedp.Call(b.Ctx, serviceworker.Enable, cdp.Empty{})
	if err == nil {
		_, err = chromedp.Call(b.Ctx, backgroundservice.SetRecording, backgroundservice.SetRecordingParams{ShouldRecord: true, Service: notifications})
	}
	if err == nil {
		_, err = chromedp.Call(b.Ctx, backgroundservice.StartObserving, backgroundservice.StartObservingParams{Service: notifications})
	}
	if err != nil {
		b.T.Fatal(err)
	}
	return p
}

// noticeOf returns a notice's title and text.
func noticeOf(e *backgroundservice.Event) string {
	about := map[string]string{}
	for _, m := range e.EventMetadata {
		about[m.Key] = m.Value
	}
	return about["Title"] + ": " + about["Body"]
}

// push delivers a message, and returns the title and text of the notice that is shown of it.
func (p *pushService) push(message string) string {
	p.b.T.Helper()
	if p.id == "" {
		p.id = await(p.b.T, "a service worker", p.worker)
	}
	if _, err := chromedp.Call(p.b.Ctx, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{Origin: p.origin, RegistrationID: p.id, Data: message}); err != nil {
		p.b.T.Fatal(err)
	}
	return await(p.b.T, "a notice", p.shown)
}

// await waits for what comes from a channel.
func await[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(rig.Patience):
		t.Fatalf("there is not %s", what)
	}
	return v
}
