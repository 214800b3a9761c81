package browser

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/web"
)

// TestThePageSaysThatTheBrowserKeepsItFromItsBroker has a page of a public address, and a broker
// in the network around the browser. Chromium lets the page reach it once its person has said so
// (Local Network Access).
func TestThePageSaysThatTheBrowserKeepsItFromItsBroker(t *testing.T) {
	s := newSite(t)
	broker, err := url.Parse(s.address)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /login", httputil.NewSingleHostReverseProxy(broker))
	mux.Handle("/", web.Handler(web.Files, web.Config{Broker: &web.BrokerConfig{URL: "ws://" + broker.Host + "/broker", Login: "login"}}))
	page := httptest.NewServer(mux)
	t.Cleanup(page.Close)
	s.address = page.URL + "/"

	b := open(t, chromedp.Flag("enable-features", "LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"),
		chromedp.Flag("ip-address-space-overrides", strings.TrimPrefix(page.URL, "http://")+"=public,"+broker.Host+"=local"))
	let := func(setting browser.PermissionSetting) {
		t.Helper()
		for _, name := range []string{"local-network", "loopback-network"} {
			set := browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: name}, Setting: setting, Origin: page.URL}
			if _, err := chromedp.CallBrowser(b.Ctx, browser.SetPermission, set); err != nil {
				t.Fatal(err)
			}
		}
	}
	let(browser.PermissionSettingGranted)
	s.join(b)

	let(browser.PermissionSettingDenied)
	b.Do(chromedp.Reload())
	b.Await(shows("The browser keeps this page from devices in your network"))
	b.Shot("localnetwork-denied")

	let(browser.PermissionSettingPrompt)
	b.Do(chromedp.Reload())
	b.Await(shows("If the browser asks whether this page may reach devices in your network, allow it."))

	let(browser.PermissionSettingGranted)
	b.Do(chromedp.Reload())
	b.Await(live)
}
