package browser

import (
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
)

// owner is a tab with the owner's page.
type owner struct {
	*tab
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

// watchedBy is a condition: the picture says who watches.
func watchedBy(text string) string {
	return fmt.Sprintf(`document.querySelector('.watchers')?.innerText.trim() === %q`, text)
}

// visit opens the page in a browser.
func (d *demo) visit(b *tab) owner {
	b.t.Helper()
	b.do(chromedp.Navigate(d.Address))
	return owner{b, d}
}

// pair is a new user who opens the demo's camera and sees its picture.
func (d *demo) pair(b *tab) owner {
	b.t.Helper()
	o := d.visit(b)
	o.press("Open the demo camera")
	b.await(live)
	return o
}

// press clicks the button or link that begins with a text, once it can be clicked, by a click of
// the browser's own.
func (o owner) press(text string) {
	o.t.Helper()
	o.click(fmt.Sprintf(`[...document.querySelectorAll('dialog[open] button, button, a.button, a.choice, a.row')].find((b) => b.innerText.trim().startsWith(%q) && !b.disabled)`, text))
}

// click clicks the element that an expression finds, once it is there, stays where it is, and
// nothing lies over it.
func (b *tab) click(element string) {
	b.t.Helper()
	b.await(`(async () => {
		const e = ` + element + `;
		if (!e) return false;
		e.scrollIntoView({ block: 'center', behavior: 'instant' });
		const first = e.getBoundingClientRect();
		await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)));
		const r = e.getBoundingClientRect();
		window.at = [r.x + r.width / 2, r.y + r.height / 2];
		return r.x === first.x && r.y === first.y && e.contains(document.elementFromPoint(...window.at));
	})()`)
	at := eval[[2]float64](b, `window.at`)
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

// fill types into a field, as far as the page can tell.
func (o owner) fill(selector, text string) {
	o.t.Helper()
	o.await(fmt.Sprintf(`Boolean(document.querySelector(%q))`, selector))
	eval[bool](o.tab, fmt.Sprintf(`(() => {
		const field = document.querySelector(%q);
		field.value = %q;
		field.dispatchEvent(new Event('input', { bubbles: true }));
		field.dispatchEvent(new Event('change', { bubbles: true }));
		return true;
	})()`, selector, text))
}

// screen opens one of the camera's screens.
func (o owner) screen(name string) {
	o.t.Helper()
	eval[bool](o.tab, fmt.Sprintf(`(location.hash = '#/camera/%s/%s', true)`, o.d.Device, name))
	o.await(fmt.Sprintf(`document.querySelector('main')?.dataset.screen === %q`, name))
}

// key is the text by which the page asks to be added, and its six words.
func (o owner) key() (text, words string) {
	o.t.Helper()
	eval[bool](o.tab, `(location.hash = '#/key', true)`)
	o.await(`Boolean(document.querySelector('camd-key camd-qr')?.text)`)
	return eval[string](o.tab, `document.querySelector('camd-key camd-qr').text`), eval[string](o.tab, `document.querySelector('.sixwords').innerText`)
}

// invite lets a key in, as Guest, Adult or Owner, and returns the camera card for it. words, if
// not empty, are those that the other page shows.
func (o owner) invite(key, words, name, role string) (card string) {
	o.t.Helper()
	o.screen("invite")
	o.fill("#pasted", key)
	o.press("Continue")
	o.await(shows("Do they see the same six words?"))
	if got := eval[string](o.tab, `document.querySelector('.sixwords').innerText`); words != "" && got != words {
		o.t.Fatalf("the owner's page shows the words %q, the guest's %q", got, words)
	}
	o.press("They are the same")
	o.fill("#name", name)
	o.click(fmt.Sprintf(`[...document.querySelectorAll('label.tick')].find((l) => l.querySelector('strong')?.innerText === %q)`, role))
	o.press("Let them in")
	o.await(shows(name + " is a member now"))
	return eval[string](o.tab, `document.querySelector('camd-invite').card`)
}

// remove removes a member.
func (o owner) remove(name string) {
	o.t.Helper()
	o.screen("people")
	o.click(fmt.Sprintf(`[...document.querySelectorAll('a.row')].find((r) => r.querySelector('strong').innerText.trim().startsWith(%q))`, name))
	o.press("Remove " + name)
	o.await(`Boolean(document.querySelector('dialog[open]'))`)
	o.click(`document.querySelector('dialog[open] button[value=yes]')`)
	o.await(fmt.Sprintf(`document.querySelector('main').dataset.screen === 'people' && ![...document.querySelectorAll('a.row strong')].some((n) => n.innerText.trim().startsWith(%q))`, name))
}

// link is the address by which a guest opens a card.
func (d *demo) link(card string) string {
	return d.Address + "#card=" + strings.NewReplacer("+", "%2B", "=", "%3D").Replace(card)
}
