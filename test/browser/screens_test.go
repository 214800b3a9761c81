package browser

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/chromium"
	"github.com/camd-project/camd/web"
)

// screen is one state of the page, as a scenario of web/test/standin.js shows it.
type screen struct {
	name, scenario, fragment string
	steps                    []step
	shows                    string // a condition in JavaScript
}

// step does something once a condition holds, both in JavaScript.
type step struct{ when, do string }

const (
	bright = "document.querySelector('.frame[data-bright]')"
	door   = "#/camera/doordoordoordoordoordoordo/"
	talks  = "document.querySelector('#talk').click()"
	more   = "[...document.querySelectorAll('.tool')].at(-1).click()"
	back   = "document.querySelector('camd-app').home.cameras[0].back()"
	rings  = "document.querySelector('camd-app').home.ring()"
	hours  = "document.querySelector('camd-schedule input')"
	ben    = "BenBenBenBenBenBenBenBenBenBenBenBenBenBenB"
	anna   = "AnnaAnnaAnnaAnnaAnnaAnnaAnnaAnnaAnnaAnnaAnn"
)

func text(s string) string { return fmt.Sprintf("document.body.innerText.includes(%q)", s) }

var (
	theirKey = paste("CAMD-KEY:1?x")
	compared = press("They are the same")
	granted  = []step{{"document.querySelector('.rights')", "(() => { const name = document.querySelector('#name'); name.value = 'Mia'; name.dispatchEvent(new Event('input')); })()"}, press("Let them in")}
)

var screens = []screen{
	{"welcome", "empty", "", nil, text("I was invited")},
	{"cameras", "several", "#/cameras", nil, text("Nursery")},
	{"live", "one", "", nil, bright + " && " + text("You and Anna are watching")},
	{"live-talking", "one&talk=live", "", []step{{bright, talks}}, "document.querySelector('.frame[data-state=talking]')"},
	{"live-announcing", "one&talk=announcing", "", []step{{bright, talks}}, text("the chime plays first")},
	{"live-talk-ended", "one&talk=ended", "", []step{{bright, talks}}, text("ended the talk")},
	{"live-talk-closed", "one&talk=ended", "", []step{{bright, talks}, {text("ended the talk"), "document.querySelector('.note button').click()"}}, "!" + text("ended the talk")},
	{"live-small", "one&sent=low,path", "", nil, bright + " && " + text("Small picture: the connection is too slow now")},
	{"live-skips", "one&sent=high,no_other,skips", "", nil, bright + " && " + text("Some pictures are missing: the connection is too slow now")},
	{"live-refused-talk", "one&talk=refused", "", []step{{bright, talks}}, text("quiet hours: nobody may speak")},
	{"live-more", "one", "", []step{{bright, more}}, text("1280 × 720") + " && " + text("Automatic")},
	{"live-more-small", "one", "", []step{{bright, more}, {chosen("Automatic"), label("Small picture") + ".click()"}}, chosen("Small picture") + " && " + text("Small picture, as you chose")},
	{"live-more-one", "one&sent=high,no_other", "", []step{{bright, more}}, text("only one size of picture")},
	{"live-private", "private", "", nil, text("Switch privacy mode off")},
	{"live-private-device", "device", "", nil, text("by its button")},
	{"live-offline", "offline", "", nil, text("Check its power")},
	{"live-ended", "ended", "", nil, text("The demo has ended")},
	{"live-refused", "refused", "", nil, text("allows no more viewers")},
	{"live-ring", "one", "", []step{{bright, rings}}, text("Someone rings at Front door") + " && !" + text("Look")},
	{"removed", "removed", "", nil, text("have been removed") + " && !" + text("Try again")},
	{"removed-forget", "removed", "", []step{press("Remove this camera from this page")}, "document.querySelector('dialog[open]')"},
	{"removed-forgotten", "removed", "", []step{press("Remove this camera from this page"), press("Remove it")}, text("I was invited")},
	{"live-guest", "guest", "", nil, bright},
	{"live-broken", "broken", "", nil, bright + " && " + text("no sound device")},
	{"alarm", "alarm", "", nil, text("can’t be trusted")},
	{"alarm-seen", "alarm", door + "history", []step{{text("see the alarm"), "true"}, press("I have seen this")}, text("were compared") + " && !" + text("see the alarm")},
	{"people", "one", door + "people", nil, text("Ben the babysitter")},
	{"people-removed", "removed", door + "people", nil, text("have been removed") + " && !" + text("Ben the babysitter")},
	{"people-away", "one", door + "people", []step{{text("Ben the babysitter"), leaves}}, text("may be out of date") + " && !" + text("Watching")},
	{"people-back", "offline", door + "people", []step{{text("Check its power"), back}}, text("Ben the babysitter") + " && !" + text("Check its power")},
	{"member-card", "one", door + "member/" + ben, []step{press("Make the camera card again")}, "document.querySelector('.qr')"},
	{"member", "one", door + "member/" + ben, nil, "document.querySelector('camd-schedule table')"},
	{"remove", "one", door + "member/" + anna, []step{press("Remove Anna")}, "document.querySelector('dialog[open]')"},
	{"invite", "one", door + "invite", nil, text("Their key")},
	{"invite-compare", "one", door + "invite", []step{theirKey}, text("apple river stone")},
	{"invite-differ", "one", door + "invite", []step{theirKey, press("They differ")}, text("Nobody was added") + " && " + text("Their key")},
	{"invite-form", "one", door + "invite", []step{theirKey, compared}, "document.querySelector('.rights')"},
	{"invite-hours", "one", door + "invite", []step{theirKey, compared, {hours, hours + ".click()"}}, hours + ".checked && document.querySelector('camd-schedule table')"},
	{"invite-done", "one", door + "invite", append([]step{theirKey, compared}, granted...), text("Mia is a member now")},
	{"ring", "several", "#/cameras", []step{{text("Nursery"), rings}}, text("Someone rings at Front door")},
	{"history", "one", door + "history", []step{press("Show the picture")}, text("Yesterday") + " && " + text("Anna talked for a minute: someone at the camera ended it.") + " && document.querySelector('img.kept')?.complete"},
	{"history-back", "offline", door + "history", []step{{text("Check its power"), back}}, text("Yesterday") + " && !" + text("Check its power")},
	{"settings", "one", door + "settings", nil, text("Quiet hours")},
	{"settings-back", "offline", door + "settings", []step{{text("Check its power"), back}}, text("Quiet hours") + " && !" + text("Check its power")},
	{"update", "one", door + "update", nil, text("What is new")},
	{"update-back", "offline", door + "update", []step{{text("Check its power"), back}}, text("What is new") + " && !" + text("Check its power")},
	{"add", "one", "#/add", nil, text("Camera card")},
	{"add-compare", "one", "#card=abcdefghij", nil, text("ocean paper middle")},
	{"add-differ", "one", "#card=abcdefghij", []step{press("They differ")}, text("Nothing of it was kept")},
	{"key", "one", "#/key", nil, "document.querySelector('.qr')"},
	{"setup", "empty", "#/setup", nil, text("Find the label")},
	{"setup-way", "empty", "#/setup", []step{paste("abcd efgh")}, text("Hold the pairing button")},
	{"setup-settings", "empty", "#/setup", []step{paste("abcd efgh"), press("By a code")}, "document.querySelector('#ssid')"},
	{"setup-code", "empty", "#/setup", []step{paste("CAMD:1?d"), press("By a code"), press("Show the code")}, "document.querySelector('canvas.lens')"},
}

// label is the one of a stream that can be chosen.
func label(text string) string {
	return fmt.Sprintf("[...document.querySelectorAll('.segments label')].find((l) => l.innerText.trim() === %q)", text)
}

// chosen holds if it is the one that is picked.
func chosen(label string) string {
	return fmt.Sprintf("document.querySelector('.segments label:has(:checked)')?.innerText.trim() === %q", label)
}

// paste puts a text into the one field for it, and goes on.
func paste(s string) step {
	return step{"document.querySelector('textarea')", fmt.Sprintf("(() => { const field = document.querySelector('textarea'); field.value = %q; field.form.requestSubmit(); })()", s)}
}

// press clicks the button that begins with a text.
func press(s string) step {
	button := fmt.Sprintf("[...document.querySelectorAll('button')].find((b) => b.innerText.trim().startsWith(%q))", s)
	return step{button, button + ".click()"}
}

// TestScreens has every screen drawn at both widths and in both themes. None scrolls sideways,
// and axe-core finds nothing on any. With SHOTS set, the pictures are kept there.
func TestScreens(t *testing.T) {
	address, axe := serveStandin(t)
	for _, s := range screens {
		t.Run(s.name, func(t *testing.T) {
			b := open(t)
			defer b.Quiet()
			b.Resize(390, 844, true)
			s.draw(b, address)
			chromium.Eval[bool](b, axe+"; true")
			for _, theme := range []string{"light", "dark"} {
				if _, err := chromedp.Call(b.Ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}}); err != nil {
					t.Fatal(err)
				}
				for _, width := range []int64{390, 1280} {
					b.Resize(width, 844, width == 390)
					b.Await(settled)
					b.Shot(fmt.Sprintf("%s-%d-%s", s.name, width, theme))
					if wide := chromium.Eval[int64](b, "document.documentElement.scrollWidth"); wide > width {
						t.Errorf("it scrolls sideways: %d pixels in %d", wide, width)
					}
					if (theme == "light") != (width == 390) {
						continue // what axe-core finds depends on the theme or on the width, so each once will do
					}
					if found := chromium.Eval[string](b, audit); found != "" {
						t.Errorf("%s, %d pixels: axe-core found:\n%s", theme, width, found)
					}
				}
			}
		})
	}
}

// settled holds when all is drawn: no picture is waited for.
const settled = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(!document.querySelector('.frame[data-state="waiting"]')))))`

// audit lists what axe-core finds, a line each.
const audit = `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(({ violations }) =>
  violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + n.target + ': ' + n.failureSummary)).join('\n'))`

func (s screen) draw(b *chromium.Tab, address string) {
	b.T.Helper()
	b.Do(chromedp.Navigate(address + "/?scenario=" + s.scenario + s.fragment))
	for _, step := range s.steps {
		b.Await(step.when)
		chromium.Eval[bool](b, step.do+", true")
	}
	b.Await(s.shows)
}

// serveStandin serves the page with a stand-in for core, under the page's own policy. It
// returns the address, and axe-core.
func serveStandin(t *testing.T) (address, axe string) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s, which Debian has in the package of that name", tool)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, sources{os.DirFS("../../web")}); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"},
		{"node", "test/build.mjs", "served"},
	} {
		build := exec.CommandContext(t.Context(), command[0], command[1:]...)
		build.Dir = dir
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(filepath.Join(dir, "served")))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", web.Policy)
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, string(text)
}

// sources are the files of web that the page is made of, without what npm put there.
type sources struct{ fs.FS }

func (s sources) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(s.FS, name)
	return slices.DeleteFunc(list, func(d fs.DirEntry) bool { return d.Name() == "node_modules" || d.Name() == "dist" }), err
}
