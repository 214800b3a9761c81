package browser

import (
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/chromium"
)

// TestAGuestIsLetInAndRemoved has two browsers, each with a key of its own.
func TestAGuestIsLetInAndRemoved(t *testing.T) {
	anna, cara, d := open(t), open(t), startDemo(t)
	owner, guest := d.pair(anna), d.visit(cara)

	// The camera has an owner, and takes nobody else who has its label.
	guest.Press("Open the demo camera")
	cara.Await(shows(proto.CodeOwned.Sentence()))

	key, words := guest.key()
	card := owner.invite(key, words, "Cara", "Guest")
	_, owners := owner.key()
	cara.Load(d.link(card))
	cara.Await(shows("Does Anna have the same six words?"))
	if got := chromium.Eval[string](cara, `document.querySelector('.sixwords').innerText`); got != owners {
		t.Errorf("the card shows the words %q, the owner's are %q", got, owners)
	}
	if chromium.Eval[bool](cara, `location.href.includes('card=')`) {
		t.Error("the card stays in the address")
	}
	cara.Shot("demo-add")
	guest.Press("They are the same")
	cara.Await(live)

	owner.screen("live")
	anna.Await(live)
	anna.Await(watchedBy("You and Cara are watching"))
	cara.Await(watchedBy("You and Anna are watching"))
	anna.Await(shows("Cara began to watch and listen"))
	if chromium.Eval[bool](cara, shows("Invite")) {
		t.Error("a guest is offered to invite somebody")
	}

	owner.remove("Cara")
	cara.Await(stage + `?.dataset.state === 'off' && ` + nothing)
	cara.Await(shows(proto.CodeRevoked.Sentence()) + ` && ` + offers("Remove this camera from this page"))
	cara.Await(`document.querySelector('.watchers') === null`)
	cara.Shot("demo-removed")
	owner.screen("history")
	anna.Await(shows("Anna removed Cara") + ` && ` + shows("Anna added Cara as guest"))
	anna.Await(`document.querySelector('camd-history .good') !== null`) // verified
	anna.Shot("demo-history")
	if chromium.Eval[bool](anna, `document.querySelector('.banner.bad') !== null`) {
		t.Error("the page shows an alarm")
	}
}

// TestPrivacyAndTheEndOfTheHousehold has a member at a terminal, and somebody at the camera.
func TestPrivacyAndTheEndOfTheHousehold(t *testing.T) {
	b, d := open(t), startDemo(t)
	o := d.pair(b)
	d.letBenIn(o)
	o.screen("live")
	b.Await(live)
	b.Click(`document.querySelector('[role=switch]')`)
	b.Await(stage + `?.dataset.state === 'private' && ` + nothing)
	b.Await(shows("Anna switched privacy mode on"))
	b.Await(`document.querySelector('[role=switch]').ariaChecked === 'true'`)
	b.Shot("demo-private")
	d.ben("events") // Ben is told before he undoes it
	d.ben("privacy", "off")
	b.Await(live)

	d.ben("snapshot", t.TempDir()+"/now.jpg")
	b.Await(shows("Ben got a picture"))
	if log := string(d.ben("log")); !strings.Contains(log, "Anna added Ben as owner") || !strings.Contains(log, "Ben asked for a picture") {
		t.Errorf("Ben's log is\n%s", log)
	}
	if said := string(d.ben("log", "--verify")); !strings.Contains(said, "The access log is verified") {
		t.Errorf("log --verify says %q", said)
	}
	d.atCamera("ring")
	b.Await(shows("rang"))

	d.atCamera("evict", "--yes")
	b.Await(stage + `?.dataset.state === 'off' && ` + nothing)
	b.Await(shows("everyone was removed"))
	b.Shot("demo-evicted")
}
