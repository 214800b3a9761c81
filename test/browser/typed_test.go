package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// set types into a field, as a person does who then goes on to the next one.
func set(selector, value string) step {
	field := fmt.Sprintf("document.querySelector(%q)", selector)
	return step{field, fmt.Sprintf("(() => { const f = %s; f.focus(); f.value = %q; for (const e of ['input', 'change']) f.dispatchEvent(new Event(e, { bubbles: true })); })()", field, value)}
}

// holds is a condition: a field has a value.
func holds(selector, value string) string {
	return fmt.Sprintf("document.querySelector(%q)?.value === %q", selector, value)
}

const (
	camera   = "document.querySelector('camd-app').home.cameras[0]"
	leaves   = camera + ".set({ link: 'offline', sentence: 'The camera does not answer.' })"
	accepted = "[...document.querySelectorAll('input[name=talk]')].at(-1)"
	roles    = "document.querySelectorAll('input[name=role]')"
)

// TestWhatIsTypedStays has the camera go and come back, others change something, and things fail,
// while someone fills in a form. What is shown is what was typed, and says whether it is saved.
func TestWhatIsTypedStays(t *testing.T) {
	address, _ := serveStandin(t)
	away := step{"true", leaves}
	home := step{text("The camera does not answer."), back}
	reached := "!" + text("The camera does not answer.")
	for _, c := range []struct {
		name, scenario, fragment string
		steps                    []step
		want                     string
	}{
		{"a name that is being typed", "one", door + "settings", []step{
			{"document.querySelector('#name')", "(() => { const f = document.querySelector('#name'); f.value = 'Garage'; f.dispatchEvent(new Event('input')); })()"},
			away, {"true", camera + ".set({ name: 'Gate' })"}, home,
		}, holds("#name", "Garage") + " && " + reached},
		{"a setting that could not be saved", "one", door + "settings", []step{
			{"document.querySelector('#name')", leaves}, set("#name", "Garage"), {text("Not saved."), back}, press("Save again"),
		}, holds("#name", "Garage") + " && " + text("Saved") + " && !" + text("Not saved")},
		{"a setting that is typed again", "one", door + "settings", []step{
			set("#name", "Garage"), {text("Saved"), "(() => { const f = document.querySelector('#name'); f.value = 'Gate'; f.dispatchEvent(new Event('input')); })()"},
		}, holds("#name", "Gate") + " && !" + text("Saved")},
		{"a choice that was not confirmed", "one", door + "settings", []step{{accepted, accepted + ".click()"}, press("Cancel")}, "!" + accepted + ".checked"},
		{"an address that is being typed", "one", door + "settings", []step{
			away, {"document.querySelector('details[open] #address')", "document.querySelector('#address').value = 'wss://'"}, home,
		}, "document.querySelector('details[open] #address')?.value === 'wss://' && " + reached},
		{"an invitation", "one", door + "invite", []step{theirKey, compared, set("#name", "Mia"), set("#user", "mia"), away, home}, holds("#name", "Mia") + " && " + holds("#user", "mia") + " && " + reached},
		{"rights that are not saved", "one", door + "member/" + ben, []step{
			{"document.querySelector('.rights')", "document.querySelectorAll('.rights input')[2].click()"}, away, home,
			{reached, camera + ".set({ members: " + camera + ".state.members.map((m) => (m.client === '" + ben + "' ? { ...m, scopes: ['view'] } : m)) })"},
		}, text("Someone else has changed") + " && document.querySelectorAll('.rights input')[2].checked"},
		{"rights that are not saved, while the broker refuses the login", "one", door + "member/" + ben, []step{
			{"document.querySelector('.rights')", "document.querySelectorAll('.rights input')[2].click()"},
			{"true", camera + ".set({ link: 'refused', sentence: 'The broker does not accept this client.' })"},
		}, text("does not accept this client") + " && document.querySelectorAll('.rights input')[2].checked"},
		{"rights that another changes", "one", door + "member/" + ben, []step{
			{"document.querySelector('.rights')", camera + ".set({ members: " + camera + ".state.members.map((m) => (m.client === '" + ben + "' ? { ...m, scopes: ['view'] } : m)) })"},
		}, "!document.querySelectorAll('.rights input')[1].checked && !" + text("Someone else has changed")},
		{"hours that are none", "one", door + "invite", []step{theirKey, compared, {hours, hours + ".click()"}, set("camd-schedule td input", "18:00"), set("#name", "Mia")},
			text("must not be the same time") + " && " + button("Let them in") + ".disabled && " + holds("camd-schedule td input", "18:00")},
		{"hours that were none for a while", "one", door + "invite", []step{theirKey, compared, {hours, hours + ".click()"}, set("camd-schedule td input", "18:00"), set("camd-schedule td + td input", "22:00")},
			"!" + text("must not be the same time") + " && document.querySelector('camd-invite').draft.weekly.startsWith('Mo 18:00-22:00')"},
		{"hours that are none, and another role", "one", door + "invite", []step{
			theirKey, compared, {hours, hours + ".click()"}, set("camd-schedule td input", "18:00"), {text("must not be the same time"), roles + "[2].click()"}, {"!" + hours, roles + "[0].click()"},
		}, text("Choose at least one day") + " && " + hours + ".checked && " + button("Let them in") + ".disabled"},
		{"hours that the table can't show", "one", door + "member/" + ben, []step{
			{"document.querySelector('.rights')", camera + ".set({ members: " + camera + ".state.members.map((m) => (m.client === '" + ben + "' ? { ...m, weekly: 'Mo 08:00-10:00; Mo 12:00-14:00' } : m)) })"},
		}, text("can’t show the hours") + " && !" + text("Choose at least one day")},
		{"a login at the broker", "one", door + "invite", append([]step{theirKey, compared, set("#user", "mia"), set("#password", "secret")}, granted...),
			text("Mia is a member now") + " && !" + text("no login at the broker") + " && " + camera + ".login.user === 'mia' && " + camera + ".login.password === 'secret'"},
		{"a login that was forgotten", "one", door + "invite", append([]step{theirKey, compared}, granted...), text("This card has no login at the broker") + " && " + camera + ".login === undefined"},
		{"a login that is made later", "one", door + "member/" + ben, []step{{"document.querySelector('#user')", "true"}, set("#user", "ben"), set("#password", "secret"), press("Make the camera card again")},
			text("Camera card for Ben") + " && " + camera + ".login.user === 'ben'"},
		{"a code that was not read", "empty", "#/setup", []step{paste("CAMD:1?d"), press("By a code"), set("#ssid", "Home"), press("Show the code"), press("Cancel"), press("By a code")}, holds("#ssid", "Home")},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			defer b.Quiet()
			b.Do(chromedp.Navigate("about:blank"))
			screen{scenario: c.scenario, fragment: c.fragment, steps: c.steps, shows: c.want}.draw(b, address)
		})
	}
}
