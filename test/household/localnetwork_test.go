package household

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/chromium"
	"github.com/camd-project/camd/test/rig"
)

// localNetwork has a page of a public address in the network of the camera, in a Chromium that
// lets no page reach that network before its person allows it (Local Network Access). Without
// a word of theirs, and if they forbid it, the relay carries the picture.
func localNetwork(t *testing.T, s *server, anna person, r *rig.Rig) {
	network(t, "home", "203.0.113.9", "203.0.113.10")
	for _, command := range []string{
		"link add lan0 netns camera type veth peer name lan0 netns home",
		"-n camera address add 192.168.77.2/24 dev lan0", "-n home address add 192.168.77.3/24 dev lan0",
		"-n camera link set lan0 up",
	} {
		run(t, "ip", strings.Fields(command)...)
	}
	raise(t, "home", "lan0")
	b := joinPage(t, s, anna, "Finn", r.Device, "home",
		chromedp.Flag("enable-features", "LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets,LocalNetworkAccessChecksWebRTC"),
		chromedp.Flag("ip-address-space-overrides", address+":443=public,"+address+":3478=public"))
	let := func(setting browser.PermissionSetting) {
		t.Helper()
		set := browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: "local-network"}, Setting: setting, Origin: "https://" + host}
		if _, err := chromedp.CallBrowser(b.Ctx, browser.SetPermission, set); err != nil {
			t.Fatal(err)
		}
		b.Load("https://" + host + "/#/camera/" + string(r.Device) + "/live")
	}
	for setting, way := range map[browser.PermissionSetting]string{
		browser.PermissionSettingPrompt:  "relay to (host|prflx)",
		browser.PermissionSettingDenied:  "relay to (host|prflx)",
		browser.PermissionSettingGranted: ".* to (host|prflx)",
	} {
		let(setting)
		b.Await(live)
		goesOn(b)
		takes(b, way)
		if got := chromium.Eval[[]string](b, `window.ways()`); setting == browser.PermissionSettingGranted && !slices.ContainsFunc(got, direct) {
			t.Errorf("the page is let, and finds %v", got)
		}
	}
	s.stops["coturn"]()
	let(browser.PermissionSettingDenied)
	b.Await(`document.body.innerText.includes("The browser keeps this page from devices in your network")`)
	s.startCoturn()
	b.Load("about:blank")
}

func direct(way string) bool { return !strings.Contains(way, "relay") }
