package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/chromium"
)

// TestTalkButton holds the button, keeps it by a short press, and does both by the keyboard:
// the voice is heard as long as the person means it to be, and no longer.
func TestTalkButton(t *testing.T) {
	b := open(t)
	defer b.Quiet()
	address, _ := serveStandin(t)
	b.Do(chromedp.Navigate(address + "/?scenario=one&talk=live"))
	b.Await(bright)
	chromium.Eval[bool](b, `(() => {
		let now = 0; // a clock that only the test moves
		performance.now = () => now;
		const button = document.querySelector('#talk');
		button.setPointerCapture = () => {}; // there is no real pointer
		const send = (event) => event.type.startsWith('key') ? document.body.dispatchEvent(event) : button.dispatchEvent(event);
		window.input = (kind, more, later = 0) => {
			now += later;
			const made = kind.startsWith('key') ? new KeyboardEvent(kind, { key: ' ', bubbles: true, cancelable: true, ...more }) : new PointerEvent(kind, { bubbles: true, button: 0, ...more });
			send(made);
		};
		return true;
	})()`)
	const idle, live = "idle", "live"
	for _, c := range []struct{ name, do, want string }{
		{"held", "input('pointerdown')", live},
		{"let go", "input('pointerup', {}, 2000)", idle},
		{"pressed shortly", "input('pointerdown'), input('pointerup', {}, 100)", live},
		{"pressed again", "input('pointerdown', {}, 3000), input('pointerup', {}, 100)", idle},
		{"held and taken away by the system", "input('pointerdown'), input('pointercancel', {}, 2000)", idle},
		{"pressed with another button", "input('pointerdown', { button: 2 })", idle},
		{"space bar held", "input('keydown'), input('keydown', { repeat: true }, 2000)", live},
		{"space bar let go", "input('keyup', {}, 100)", idle},
		{"space bar with control", "input('keydown', { ctrlKey: true })", idle},
		{"clicked by assistive technology", "document.querySelector('#talk').click()", live},
		{"clicked again", "document.querySelector('#talk').click()", idle},
	} {
		chromium.Eval[bool](b, c.do+", true")
		// What was asked for before has been done by now: the page answers in order.
		b.Await("document.querySelector('camd-talk').updateComplete.then(() => new Promise((done) => setTimeout(() => done(true))))")
		if got := chromium.Eval[string](b, `document.querySelector('#talk').dataset.state`); got != c.want {
			t.Fatalf("%s: the button is %s, want %s", c.name, got, c.want)
		}
		if said := chromium.Eval[bool](b, `document.querySelector('.frame').dataset.state === 'talking'`); said != (c.want == live) {
			t.Fatalf("%s: the picture says that this person is heard: %v", c.name, said)
		}
	}
}

// TestNoTextBecomesHTML has the page's policy stop what the page never does.
func TestNoTextBecomesHTML(t *testing.T) {
	b := open(t)
	address, _ := serveStandin(t)
	b.Do(chromedp.Navigate(address + "/?scenario=one"))
	b.Await(bright)
	const harm = "<b id=harm>x</b>"
	for _, way := range []string{"document.body.innerHTML = %q", "document.body.insertAdjacentHTML('beforeend', %q)", "document.write(%q)", "new DOMParser().parseFromString(%q, 'text/html')"} {
		do := fmt.Sprintf(way, harm)
		if stopped := chromium.Eval[bool](b, "(() => { try { "+do+"; return false; } catch (e) { return e instanceof TypeError; } })()"); !stopped {
			t.Errorf("%s was not stopped", do)
		}
	}
	if !chromium.Eval[bool](b, bright+" !== null && document.querySelector('#harm') === null") {
		t.Error("the page was changed")
	}
}
