package browser

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/proto"
)

// TestAGuestIsLetInAndRemoved has two browsers, each with a key of its own.
func TestAGuestIsLetInAndRemoved(t *testing.T) {
	anna, cara, d := open(t), open(t), startDemo(t)
	owner, guest := d.pair(anna), d.visit(cara)

	// The camera has an owner, and takes nobody else who has its label.
	guest.press("Open the demo camera")
	cara.await(shows(proto.CodeOwned.Sentence()))

	key, words := guest.key()
	card := owner.invite(key, words, "Cara", "Guest")
	_, owners := owner.key()
	cara.do(chromedp.Navigate("about:blank"), chromedp.Navigate(d.link(card)))
	cara.await(shows("Does Anna have the same six words?"))
	if got := eval[string](cara, `document.querySelector('.sixwords').innerText`); got != owners {
		t.Errorf("the card shows the words %q, the owner's are %q", got, owners)
	}
	if eval[bool](cara, `location.href.includes('card=')`) {
		t.Error("the card stays in the address")
	}
	cara.shot("demo-add")
	guest.press("They are the same")
	cara.await(live)

	owner.screen("live")
	anna.await(live)
	anna.await(watchedBy("You and Cara are watching"))
	cara.await(watchedBy("You and Anna are watching"))
	anna.await(shows("Cara began to watch and listen"))
	if eval[bool](cara, shows("Invite")) {
		t.Error("a guest is offered to invite somebody")
	}

	owner.remove("Cara")
	cara.await(stage + `?.dataset.state === 'off' && ` + nothing)
	cara.await(shows(proto.CodeRevoked.Sentence()))
	cara.shot("demo-removed")
	owner.screen("history")
	anna.await(shows("Anna removed Cara") + ` && ` + shows("Anna added Cara as guest"))
	anna.await(`document.querySelector('camd-history .good') !== null`) // verified
	anna.shot("demo-history")
	if eval[bool](anna, `document.querySelector('.banner.bad') !== null`) {
		t.Error("the page shows an alarm")
	}
}

// TestPrivacyAndTheEndOfTheHousehold has a member at a terminal, and somebody at the camera.
func TestPrivacyAndTheEndOfTheHousehold(t *testing.T) {
	b, d := open(t), startDemo(t)
	o := d.pair(b)
	d.letBenIn(o)
	o.screen("live")
	b.await(live)
	b.click(`document.querySelector('[role=switch]')`)
	b.await(stage + `?.dataset.state === 'private' && ` + nothing)
	b.await(shows("Anna switched privacy mode on"))
	b.await(`document.querySelector('[role=switch]').ariaChecked === 'true'`)
	b.shot("demo-private")
	d.ben("events") // Ben is told before he undoes it
	d.ben("privacy", "off")
	b.await(live)

	d.ben("snapshot", t.TempDir()+"/now.jpg")
	b.await(shows("Ben asked for a picture"))
	d.atCamera("ring")
	b.await(shows("rang"))

	d.atCamera("evict", "--yes")
	b.await(stage + `?.dataset.state === 'off' && ` + nothing)
	b.await(shows("everyone was removed"))
	b.shot("demo-evicted")
}
