package browser

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/internal/broker"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/chromium"
	"github.com/camd-project/camd/test/rig"
	"github.com/camd-project/camd/web"
)

// site is a household whose camera and broker a test can stop, with a server of the page.
type site struct {
	*rig.Rig
	t       *testing.T
	anna    *client.Camera // an owner without a browser
	address string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{Rig: rig.New(t, "[capture]\nsource = \"synthetic\"\n[audio]\nsource = \"tone\"\n"), t: t}
	s.Start()
	s.Online()
	s.anna = s.Owner()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /broker", func(w http.ResponseWriter, r *http.Request) { s.Broker.(*broker.Broker).ServeHTTP(w, r) })
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("client")
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"user": id, "password": s.Broker.(*broker.Broker).Password(proto.ClientID(id))})
	})
	server := httptest.NewUnstartedServer(mux)
	at := server.Listener.Addr().String()
	mux.Handle("/", web.Handler(web.Files, web.Config{Broker: &web.BrokerConfig{URL: "ws://" + at + "/broker", Login: "login"}}))
	server.Start()
	t.Cleanup(server.Close)
	s.address = server.URL + "/"
	return s
}

// join lets the page of a browser in, as an owner with camctl does.
func (s *site) join(b *chromium.Tab) owner {
	b.T.Helper()
	b.Do(chromedp.Navigate(s.address))
	o := owner{b, &demo{t: s.t, Address: s.address, Device: s.Device}}
	text, _ := o.key()
	key, card, err := home.ParseKey(text)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.anna.Members(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.anna.Grant(s.t.Context(), proto.Grant{Card: string(card), Name: "Ben", Role: proto.RoleOwner, Scopes: proto.RoleOwner.Preset()}); err != nil {
		s.t.Fatal(err)
	}
	sealed, err := s.anna.Record().Card(s.anna.Keys(), key, "Ben", proto.RoleOwner, home.Broker{})
	if err != nil {
		s.t.Fatal(err)
	}
	b.Load(o.d.link(string(sealed)))
	o.Press("They are the same")
	b.Await(live)
	return o
}

// end stops camd.
func (s *site) end() {
	s.t.Helper()
	if err := s.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		s.t.Fatal(err)
	}
}

// copy copies a folder with the modes of its files, which camd looks at.
func (s *site) copy(from, to string) {
	s.t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

func TestThePageComesBackWithItsBroker(t *testing.T) {
	b, s := open(t), newSite(t)
	s.join(b)
	const cut = `document.querySelector('[role=switch]').disabled`
	b.Await(`!` + cut)
	s.StopBroker()
	b.Await(cut)
	b.Shot("site-offline")
	seen := chromium.Eval[int](b, picture+`.getVideoPlaybackQuality().totalVideoFrames`)
	b.Await(picture + `.getVideoPlaybackQuality().totalVideoFrames > ` + strconv.Itoa(seen+10)) // it doesn't pass the broker
	s.StartBroker()
	b.Await(live + ` && !` + cut)
}

// TestALogThatWasChangedRaisesTheBanner has somebody put an older copy of the camera's storage in,
// so that what happened since has not happened.
func TestALogThatWasChangedRaisesTheBanner(t *testing.T) {
	b, s := open(t), newSite(t)
	o := s.join(b)
	copied := filepath.Join(t.TempDir(), "state")
	s.end()
	s.copy(s.State(), copied)
	s.Start()
	b.Await(live)
	o.screen("history")
	b.Await(`document.querySelector('camd-history .good') !== null`)
	if chromium.Eval[bool](b, `document.querySelector('.banner.bad') !== null`) {
		t.Fatal("the page shows an alarm before anything was changed")
	}
	s.end()
	if err := os.RemoveAll(s.State()); err != nil {
		t.Fatal(err)
	}
	s.copy(copied, s.State())
	s.Start()
	b.Await(`document.querySelector('.banner.bad') !== null`)
	if text := chromium.Eval[string](b, `document.querySelector('.banner.bad').innerText`); !strings.Contains(text, "can’t be trusted") {
		t.Errorf("the banner says %q", text)
	}
	b.Shot("site-alarm")
	b.Do(chromedp.Reload())
	b.Await(`document.querySelector('.banner.bad') !== null`) // it stays until a person has seen it
}

// TestThePageStartsWithoutItsServer: the service worker keeps the page's files, and nothing else.
func TestThePageStartsWithoutItsServer(t *testing.T) {
	b, d := open(t), startDemo(t)
	o := d.pair(b)
	b.Await(`navigator.serviceWorker.ready.then((r) => r.active?.state === 'activated')`)
	o.screen("history")
	b.Await(`document.querySelector('camd-history .good') !== null`)
	d.stop()
	b.Do(chromedp.Reload())
	b.Await(shows("The demo has ended, or this browser can't reach it.") + ` && ` + nothing)
	kept := chromium.Eval[[]string](b, `caches.keys().then(async (names) => {
		const all = [];
		for (const n of names) for (const r of await (await caches.open(n)).keys()) all.push(new URL(r.url).pathname);
		return all;
	})`)
	for _, path := range kept {
		if path == "/"+web.ConfigFile || path == "/login" || !embedded(path) {
			t.Errorf("the service worker keeps %s", path)
		}
	}
	if len(kept) < 3 {
		t.Errorf("the service worker keeps only %v", kept)
	}
}

// embedded reports whether a path is one of the page's files.
func embedded(path string) bool {
	if path == "/" {
		return true
	}
	f, err := web.Files.Open(strings.TrimPrefix(path, "/"))
	if err != nil {
		return false
	}
	return f.Close() == nil
}
