package browser

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"image"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/ble"
	"github.com/camd-project/camd/pkg/setup/code"
	"github.com/camd-project/camd/pkg/setup/lens"
	"github.com/camd-project/camd/test/chromium"
	"github.com/camd-project/camd/web"
)

// helpers are what a page does that has the module and draws nothing. states is what it was told.
const helpers = `
window.keys = await setup.Keys.make();
window.states = [];
document.getElementById('go').addEventListener('click', () => clicked());
window.begin = (label, more = {}) => {
  states.length = 0;
  window.ended = setup.setUpNear({ label, keys, show: ({ state, step, code }) => states.push([state, step ?? code].filter(Boolean).join(' ')), ...more })
    .then((camera) => ({ camera }), (error) => ({ name: error.name, code: String(error.code), says: error.message, cause: String(error.cause) }));
  return true;
};`

// openSetup opens a page with the module, in a browser that has Bluetooth.
func openSetup(t *testing.T) *chromium.Tab {
	t.Helper()
	b := open(t, chromedp.Flag("enable-blink-features", "WebBluetooth")) // which Linux has behind a flag
	files := http.FileServerFS(web.Setup)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", web.Policy)
		if r.URL.Path == "/" {
			_, _ = fmt.Fprint(w, `<!doctype html><title>x</title><link rel="icon" href="data:,"><button id="go">Go</button><canvas id="code" width="450" height="470"></canvas>`)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b.Do(chromedp.Navigate(server.URL))
	chromium.Eval[bool](b, `(async () => { window.setup = await import('/setup.js');`+helpers+`return true; })()`)
	return b
}

// click evaluates as a button's handler does, by a click that the browser itself makes: what
// only the page takes for one, the part of the browser that asks the person may not.
func click(b *chromium.Tab, expression string) {
	b.T.Helper()
	chromium.Eval[bool](b, `(window.clicked = () => `+expression+`, true)`)
	b.Do(chromedp.Click(chromedp.ID("go")))
}

// outcome is how a pairing ended in the page.
type outcome struct {
	Camera *struct {
		Device, Identity, Trio, Member, Role string
		Epoch                                uint64
		Owned                                bool
		Broker                               envelope.BrokerLogin
	}
	Name, Code, Says, Cause string
}

func (o outcome) wants(t *testing.T, code, says string) {
	t.Helper()
	if o.Camera != nil || o.Code != code || !strings.Contains(o.Says, says) {
		t.Errorf("the page ended with %+v, want %s: %s", o, code, says)
	}
}

// TestAPageSetsACameraUpOverBluetooth: a page pairs by the real GATT service, chooses a
// network, mistypes its password twice, and is let in.
func TestAPageSetsACameraUpOverBluetooth(t *testing.T) {
	for _, mtu := range []int{23, 185, 517} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			b := openSetup(t)
			n := newNear(t, b, mtu)
			label := n.authority.Identity().Label()
			click(b, `{ begin('`+label.Text()+`', { settings: async (camera) => {
				window.state = await camera.state();
				[window.networks, window.request] = await Promise.all([camera.networks(), camera.request()]);
				const { ssid, security } = networks[0];
				const password = (window.typed ??= ['short', 'wrong horse', '`+rightPassword+`']).shift();
				return { wifi: { ssid, security, password }, broker: { url: 'mqtts://broker:8883', viewerUrl: 'mqtts://viewers' } };
			} }) }`)
			o := chromium.Eval[outcome](b, `ended`)
			if o.Camera == nil {
				t.Fatalf("%+v, after %v", o, chromium.Eval[[]string](b, `states`))
			}
			want := []string{"looking", "connecting", "pairing", "choosing", "problem wifi_password", "choosing", "working wifi", "problem wifi_password", "choosing", "working wifi", "working broker", "working saving"}
			if got := slices.Compact(chromium.Eval[[]string](b, `states`)); !slices.Equal(got, want) {
				t.Errorf("the page was told %q, want %q", got, want)
			}
			n.isIn(o)
			if n.longest > max(20, mtu-3) || mtu > 23 && n.longest <= 20 {
				t.Errorf("frames of up to %d bytes", n.longest)
			}
			if got := chromium.Eval[string](b, `networks.map((n) => [n.name, n.security, n.signal, n.band].join()).join(' | ')`); got != `Anna's,wpa2,-48,5 | caf\xe9 \xe2\x80\xaeeman,open,-70,2.4` {
				t.Errorf("networks: %s", got)
			}
			if got := chromium.Eval[string](b, `JSON.stringify([state, new TextDecoder().decode(request.request)])`); got != `[{"broker":false,"fixed":false,"certificate":false,"wifi":true},"request"]` {
				t.Errorf("state and request: %s", got)
			}
		})
	}
}

// isIn holds the page's card against the camera itself.
func (n *near) isIn(o outcome) {
	n.t.Helper()
	c, id := o.Camera, n.authority.Identity()
	client := proto.ClientID(chromium.Eval[string](n.b, `keys.name`))
	if m := n.authority.Members(); len(m) != 1 || m[0].Client != client || m[0].Role != proto.RoleOwner {
		n.t.Errorf("members: %+v, want the page alone, %s", m, client)
	}
	spki, err := base64.StdEncoding.DecodeString(c.Identity)
	if err != nil {
		n.t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		n.t.Fatal(err)
	}
	if l, err := pairing.NewLabel(id.DeviceID(), id.Label().Secret, key); err != nil || l != id.Label() {
		n.t.Errorf("the identity is %s: %v", c.Identity, err)
	}
	if trio, err := envelope.VerifyTrio([]byte(c.Trio), key.(*ecdsa.PublicKey)); err != nil || string(trio.Device) != c.Device {
		n.t.Errorf("the trio is %+v: %v", trio, err)
	}
	if c.Device != string(id.DeviceID()) || c.Epoch != 1 || c.Owned || c.Member != "Anna" || c.Role != "owner" || c.Broker.URL != "mqtts://broker:8883" {
		n.t.Errorf("the card: %+v", c)
	}
	set := n.setup.all()
	if len(set) != 1 || *set[0].WiFi != (proto.WiFi{SSID: "Anna's", Password: rightPassword, Security: proto.SecurityWPA2}) ||
		*set[0].Broker != (proto.SetupBroker{URL: "mqtts://broker:8883", ViewerURL: "mqtts://viewers"}) {
		n.t.Errorf("kept: %+v", set)
	}
	if !chromium.Eval[bool](n.b, `crypto.subtle.exportKey('pkcs8', keys.sig.privateKey).then(() => false, () => true)`) {
		n.t.Error("the page's key can be exported")
	}
}

// other is a, or b where it was that already.
func other(was, a, b string) string {
	if was == a {
		return b
	}
	return a
}

// TestWhatAPageSaysWhenItCantPair has everything go wrong that a person can meet.
func TestWhatAPageSaysWhenItCantPair(t *testing.T) {
	b := openSetup(t)
	n := newNear(t, b, 185)
	label := n.authority.Identity().Label()
	text := label.Text()
	begin := func(label, more string) {
		t.Helper()
		click(b, `{ begin('`+label+`', `+more+`) }`)
	}
	end := func() outcome {
		t.Helper()
		o := chromium.Eval[outcome](b, `ended`)
		n.left()
		return o
	}
	const thinks = `{ settings: () => new Promise(() => { window.thinks = true; }) }`

	wrong := label
	wrong.Secret[3] ^= 1
	begin(wrong.Text(), `{}`)
	end().wants(t, "ended", "A character of the label may be wrong")
	head, key, _ := strings.Cut(text, "&k=")
	begin(head+"&k="+other(key[:1], "A", "B")+key[1:], `{}`)
	end().wants(t, "identity", "is not the camera on the label")
	begin(strings.Replace(text, string(label.Device), strings.Repeat("a", 26), 1), `{}`)
	end().wants(t, "other", "it is not the one of the label")
	begin("CAMD:2?", `{}`)
	end().wants(t, "label", "update the program")
	if l := n.authority.Members(); len(l) != 0 {
		t.Fatalf("members: %+v", l)
	}

	n.window() // those were failures of the one before
	if err := n.server.Write("other", ble.RX, 0, []byte{0x80, 1}); err != nil {
		t.Fatal(err)
	}
	begin(text, `{}`)
	chromium.Eval[outcome](b, `ended`).wants(t, "taken", "Somebody else is setting this camera up")
	n.server.Gone("other")
	n.left()

	// While a person thinks the camera is kept waiting; then they leave.
	begin(text, `{ signal: (window.abort = new AbortController()).signal, ...`+thinks+` }`)
	b.Await(`window.thinks`)
	n.wasRead(ble.Status, 2)
	chromium.Eval[bool](b, `(abort.abort(), true)`)
	if o := end(); o.Name != "AbortError" {
		t.Errorf("%+v", o)
	}

	// Typed, and in a window that closes while the person thinks.
	chromium.Eval[bool](b, `!(window.thinks = false)`)
	begin(label.TypedText(), thinks)
	b.Await(`window.thinks`)
	n.server.Close()
	end().wants(t, "gone", "its pairing window has closed")

	n.serve()
	begin(strings.ToUpper(label.TypedText()), `{}`)
	if o := end(); o.Camera == nil {
		t.Fatalf("%+v", o)
	}
	chromium.Eval[bool](b, `(async () => { keys = await setup.Keys.make(); return true; })()`)
	begin(text, `{}`)
	end().wants(t, string(proto.CodeOwned), proto.CodeOwned.Sentence())
	chromium.Eval[bool](b, `(begin('`+text+`', { bluetooth: null }), true)`)
	end().wants(t, "unsupported", "This browser has no Bluetooth")
	n.decline.Store(true)
	begin(text, `{}`)
	end().wants(t, "chosen", "No camera was chosen")
}

// seen is what a canvas shows.
func seen(b *chromium.Tab, id string) *image.Gray {
	b.T.Helper()
	return b.Image(`document.getElementById('` + id + `').toDataURL('image/png')`)
}

// TestAPageShowsACode: the camera's own reader takes a code off the page's canvas, part by
// part, and opens it.
func TestAPageShowsACode(t *testing.T) {
	b := openSetup(t)
	label, err := pairing.NewLabel("abcdefghijklmnopqrstuvwxyz", pairing.NewSecret(), newIdentity(t))
	if err != nil {
		t.Fatal(err)
	}
	chromium.Eval[bool](b, `(async () => {
		const label = setup.codeLabel('`+label.TypedText()+`', '`+string(label.Device)+`');
		window.code = await setup.makeCode(label, keys, { wifi: { ssid: "Anna's", password: '`+rightPassword+`' }, broker: { url: 'mqtts://broker:8883' } });
		window.shown = new AbortController();
		setup.showCode(document.getElementById('code'), code.parts, shown.signal);
		return true;
	})()`)
	var r lens.Reader
	var c code.Collector
	var sealed code.Sealed
	parts := map[string]bool{}
	for sealed == nil && b.Ctx.Err() == nil {
		if text := r.Read(seen(b, "code")); text != "" {
			if sealed, _, err = c.Add(text); err != nil {
				t.Fatal(err)
			}
			parts[text] = true
		}
	}
	chromium.Eval[bool](b, `(shown.abort(), true)`)
	body, err := code.Open(label.Secret, label.Device, sealed)
	if err != nil {
		t.Fatal(err)
	}
	if name := chromium.Eval[string](b, `code.name`); name != sealed.Hash() || len(parts) < 4 || string(body.WiFi.SSID) != "Anna's" || body.WiFi.Password != rightPassword || body.Broker.URL != "mqtts://broker:8883" {
		t.Errorf("the code %s in %d parts says %+v, %+v", name, len(parts), body.WiFi, body.Broker)
	}
	b.Quiet()
}

func newIdentity(t *testing.T) crypto.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key.Public()
}
