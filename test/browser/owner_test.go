package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/chromium"
)

// open starts a browser, with a microphone that beeps and a person who allows it.
func open(t *testing.T, more ...chromedp.ExecAllocatorOption) *chromium.Tab {
	t.Helper()
	return chromium.NewTab(t, append(more, chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true))...)
}

// owner is a tab with the owner's page.
type owner struct {
	*chromium.Tab
	d *demo
}

const (
	picture = `document.querySelector('.frame video')`
	stage   = `document.querySelector('.frame')`
	live    = stage + `?.dataset.state === 'live'`
	nothing = picture + `.srcObject === null && ` + stage + `.querySelector('.why') !== null` // no picture of before is shown
)

// shows is a condition: a text can be read.
func shows(text string) string { return fmt.Sprintf(`document.body.innerText.includes(%q)`, text) }

// offers is a condition: this is all that one can press at the place of the picture.
func offers(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('.live :is(button, a.button):not(:disabled)')].map((b) => b.innerText.trim()).join() === %q`, text)
}

// watchedBy is a condition: the picture says who watches.
func watchedBy(text string) string {
	return fmt.Sprintf(`document.querySelector('.watchers')?.innerText.trim() === %q`, text)
}

// visit opens the page in a browser.
func (d *demo) visit(b *chromium.Tab) owner {
	b.T.Helper()
	b.Do(chromedp.Navigate(d.Address))
	return owner{b, d}
}

// pair is a new user who opens the demo's camera and sees its picture.
func (d *demo) pair(b *chromium.Tab) owner {
	b.T.Helper()
	o := d.visit(b)
	o.Press("Open the demo camera")
	b.Await(live)
	return o
}

// fill types into a field, as far as the page can tell.
func (o owner) fill(selector, text string) {
	o.T.Helper()
	o.Await(fmt.Sprintf(`Boolean(document.querySelector(%q))`, selector))
	chromium.Eval[bool](o.Tab, fmt.Sprintf(`(() => {
		const field = document.querySelector(%q);
		field.value = %q;
		field.dispatchEvent(new Event('input', { bubbles: true }));
		field.dispatchEvent(new Event('change', { bubbles: true }));
		return true;
	})()`, selector, text))
}

// screen opens one of the camera's screens.
func (o owner) screen(name string) {
	o.T.Helper()
	chromium.Eval[bool](o.Tab, fmt.Sprintf(`(location.hash = '#/camera/%s/%s', true)`, o.d.Device, name))
	o.Await(fmt.Sprintf(`document.querySelector('main')?.dataset.screen === %q`, name))
}

// key is the text by which the page asks to be added, and its six words.
func (o owner) key() (text, words string) {
	o.T.Helper()
	chromium.Eval[bool](o.Tab, `(location.hash = '#/key', true)`)
	o.Await(`Boolean(document.querySelector('camd-key camd-qr')?.text)`)
	return chromium.Eval[string](o.Tab, `document.querySelector('camd-key camd-qr').text`), chromium.Eval[string](o.Tab, `document.querySelector('.sixwords').innerText`)
}

// invite lets a key in, as Guest, Adult or Owner, and returns the camera card for it. words, if
// not empty, are those that the other page shows.
func (o owner) invite(key, words, name, role string) (card string) {
	o.T.Helper()
	o.screen("invite")
	o.fill("#pasted", key)
	o.Press("Continue")
	o.Await(shows("Do they see the same six words?"))
	if got := chromium.Eval[string](o.Tab, `document.querySelector('.sixwords').innerText`); words != "" && got != words {
		o.T.Fatalf("the owner's page shows the words %q, the guest's %q", got, words)
	}
	o.Press("They are the same")
	o.fill("#name", name)
	o.Click(fmt.Sprintf(`[...document.querySelectorAll('label.tick')].find((l) => l.querySelector('strong')?.innerText === %q)`, role))
	o.Press("Let them in")
	o.Await(shows(name + " is a member now"))
	return chromium.Eval[string](o.Tab, `document.querySelector('camd-invite').card`)
}

// remove removes a member.
func (o owner) remove(name string) {
	o.T.Helper()
	o.screen("people")
	o.Click(fmt.Sprintf(`[...document.querySelectorAll('a.row')].find((r) => r.querySelector('strong').innerText.trim().startsWith(%q))`, name))
	o.Press("Remove " + name)
	o.Await(`Boolean(document.querySelector('dialog[open]'))`)
	o.Click(`document.querySelector('dialog[open] button[value=yes]')`)
	o.Await(fmt.Sprintf(`document.querySelector('main').dataset.screen === 'people' && ![...document.querySelectorAll('a.row strong')].some((n) => n.innerText.trim().startsWith(%q))`, name))
}

// link is the address by which a guest opens a card.
func (d *demo) link(card string) string {
	return d.Address + "#card=" + strings.NewReplacer("+", "%2B", "=", "%3D").Replace(card)
}
