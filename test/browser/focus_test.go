package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/chromium"
)

// use gives the focus to a control, as a keyboard does, and presses it once it can be.
func use(find string) step {
	control := "(" + find + ")"
	return step{control + " && !" + control + ".disabled", fmt.Sprintf("(() => { const c = %s; c.focus(); document.querySelector('.panel')?.scrollTo(0, 1e6); c.click(); })()", control)}
}

// button finds the button that begins with a text.
func button(s string) string {
	return fmt.Sprintf("[...document.querySelectorAll('button')].find((b) => b.innerText.trim().startsWith(%q))", s)
}

const (
	next     = "document.querySelector('.paste .primary')"
	typed    = "document.querySelector('textarea').value = "
	quiet    = "document.querySelector('camd-settings fieldset input[type=checkbox]')"
	allowed  = "document.querySelector('camd-notices input')"
	postpone = "Wait a week"
)

// TestTheFocusGoesToWhatComesNext: whatever takes away the control that was used, or disables it
// for a while, who uses a keyboard or hears the page is where it goes on, and sees it.
func TestTheFocusGoesToWhatComesNext(t *testing.T) {
	address, _ := serveStandin(t)
	key := step{"document.querySelector('textarea')", typed + "'CAMD-KEY:1?x'"}
	label := step{"document.querySelector('textarea')", typed + "'CAMD:1?d'"}
	name := step{"document.querySelector('.rights')", "(() => { const name = document.querySelector('#name'); name.value = 'Mia'; name.dispatchEvent(new Event('input')); })()"}
	for _, c := range []struct {
		name, scenario, fragment string
		steps                    []step
		want                     string // how what has the focus at the end begins: its text, or its name and type
	}{
		{"a key is read", "one", door + "invite", []step{key, use(next)}, "Do they see the same six words?"},
		{"words differ", "one", door + "invite", []step{key, use(next), use(button("They differ"))}, "Don’t go on"},
		{"words are the same", "one", door + "invite", []step{key, use(next), use(button("They are the same"))}, "Invite someone"},
		{"a member is let in", "one", door + "invite", []step{key, use(next), use(button("They are the same")), name, use(button("Let them in"))}, "Mia is a member now"},
		{"a change is saved", "one", door + "member/" + ben, []step{{hours, "true"}, use(button("Save changes")), {text("Saved."), "true"}}, "Save changes"},
		{"a card is made again", "one", door + "member/" + ben, []step{use(button("Make the camera card again"))}, "Camera card for Ben"},
		{"a member is removed", "one", door + "member/" + anna, []step{use(button("Remove Anna")), use("document.querySelector('dialog[open] [value=yes]')"), {text("People") + " && location.hash.endsWith('people')", "true"}}, "main"},
		{"a question is answered by no", "one", door + "member/" + anna, []step{use(button("Remove Anna")), use("document.querySelector('dialog[open] [value=no]')")}, "Remove Anna"},
		{"a setting is saved", "one", door + "settings", []step{use(quiet), {text("Saved"), "true"}}, "input checkbox"},
		{"notices are switched", "one", door + "settings", []step{use(allowed), {allowed + "?.disabled === false", "true"}}, "input checkbox"},
		{"an update is put off", "one", door + "update", []step{use(button(postpone)), {"!" + button(postpone), "true"}}, "Install now"},
		{"a picture is shown", "one", door + "history", []step{use(button("Show the picture"))}, "Someone rang the bell."},
		{"an alarm is seen", "alarm", door + "history", []step{{text("see the alarm"), "true"}, use(button("I have seen this"))}, "Front door"},
		{"a ring is closed", "one", door + "people", []step{{text("Ben the babysitter"), rings}, use("document.querySelector('.banner.ring button')")}, "Front door"},
		{"a card is opened", "one", "#/add", []step{label, use(next)}, "Does Anna have the same six words?"},
		{"a card is another's", "one", "#/add", []step{label, use(next), use(button("They differ"))}, "Don’t go on"},
		{"a label is read", "empty", "#/setup", []step{label, use(next)}, "Hold the pairing button"},
		{"a code is shown", "empty", "#/setup", []step{label, use(next), use(button("By a code")), use(button("Show the code"))}, "Hold this screen before the lens"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			defer b.Quiet()
			for _, width := range []int64{1280, 390} {
				b.Resize(width, 844, width == 390)
				b.Do(chromedp.Navigate("about:blank"))
				screen{scenario: c.scenario, fragment: c.fragment, steps: c.steps, shows: focused + ".startsWith(" + fmt.Sprintf("%q", c.want) + ")"}.draw(b, address)
				if !chromium.Eval[bool](b, atTop) {
					t.Errorf("%d pixels: the heading that has the focus is out of sight, or could be further up", width)
				}
			}
		})
	}
}

// focused is how what has the focus begins: a heading's or button's text, the name of another element.
const focused = `((e) => e === document.body ? 'body' : e.id === 'main' ? 'main' : e.innerText?.trim() || (e.localName + ' ' + e.type))(document.activeElement)`

// atTop reports whether the heading that has the focus, if it is one, is seen in the upper half.
const atTop = `((e, r) => !/^H[1-3]$/.test(e.tagName) || r.top >= 0 && r.bottom < innerHeight / 2)(document.activeElement, document.activeElement.getBoundingClientRect())`
