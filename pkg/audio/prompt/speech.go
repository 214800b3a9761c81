package prompt

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/camd-project/camd/pkg/proto"
)

// Phrase is a sentence that is one clip.
type Phrase string

// What can be said as it is (Say). The archive's texts are in English.
const (
	PairingOpen   Phrase = "phrase/pairing-open"
	PairingClosed Phrase = "phrase/pairing-closed"
	PrivacyOn     Phrase = "phrase/privacy-on"
	PrivacyOff    Phrase = "phrase/privacy-off"
	TalkEnded     Phrase = "phrase/talk-ended"
	TalkBlocked   Phrase = "phrase/talk-blocked" // for ten minutes, by the button
	NobodyWatches Phrase = "phrase/nobody-watching"
	Evicting      Phrase = "phrase/evicting"  // every member is about to be removed: a countdown follows
	Resetting     Phrase = "phrase/resetting" // the device is about to be wiped: a countdown follows
	Stopped       Phrase = "phrase/stopped"   // what was counted down won't happen
	Trouble       Phrase = "phrase/trouble"
	SomeonePairs  Phrase = "phrase/someone-pairs"
	WiFiFailed    Phrase = "phrase/wifi-failed" // of settings that were tried
	BrokerFailed  Phrase = "phrase/broker-failed"
	SetupFailed   Phrase = "phrase/set-up-failed"
)

// ChimeTalk names the clip that every announcement of a speaker begins with.
const ChimeTalk = "chime/talk"

// The parts of sentences.
const (
	chimeAsk  = "chime/ask"
	chimeRing = "chime/ring"
	pause     = "pause/short"

	isSpeaking   = "phrase/is-speaking"
	wantsToSpeak = "phrase/wants-to-speak"
	pressToLet   = "phrase/press-to-let"
	atTheDoor    = "phrase/at-the-door"
	member       = "phrase/member"
	members      = "phrase/members"
	isWatching   = "phrase/is-watching"
	moreThan     = "phrase/more-than"
)

// highest is the last number that is spoken.
const highest = 64

// Person is who a sentence is about: a member's name, and the role that is said
// instead of a name that can't be spoken.
type Person struct {
	Name string
	Role proto.Role
}

// Required returns the names of all clips that sentences are made of, but for
// people's names.
func Required() []string {
	names := []string{ChimeTalk, chimeAsk, chimeRing, pause,
		isSpeaking, wantsToSpeak, pressToLet, atTheDoor, member, members, isWatching, moreThan}
	for _, p := range []Phrase{PairingOpen, PairingClosed, PrivacyOn, PrivacyOff, TalkEnded, TalkBlocked,
		NobodyWatches, Evicting, Resetting, Stopped, Trouble, SomeonePairs, WiFiFailed, BrokerFailed, SetupFailed} {
		names = append(names, string(p))
	}
	for _, r := range []proto.Role{proto.RoleOwner, proto.RoleAdult, proto.RoleGuest, ""} {
		names = append(names, role(r))
	}
	for letter := 'a'; letter <= 'z'; letter++ {
		names = append(names, glyph(letter))
	}
	for n := range 20 {
		names = append(names, number(n)...)
	}
	for tens := 20; tens <= highest; tens += 10 {
		names = append(names, number(tens)...)
	}
	return names
}

// Check returns an error that names each clip that is required and missing.
func (a *Archive) Check() error {
	var missing []error
	for _, name := range Required() {
		if !a.has(name) {
			missing = append(missing, fmt.Errorf("%w: %s", ErrMissing, name))
		}
	}
	return errors.Join(missing...)
}

// Speaking returns what the room hears before p is heard: chime, "Anna is speaking".
func (a *Archive) Speaking(p Person) ([][]byte, error) {
	return a.join([]string{ChimeTalk}, a.person(p), []string{isSpeaking})
}

// AsksToSpeak is for rooms where somebody must let p speak: chime, "Anna wants to
// speak; press the button to let them".
func (a *Archive) AsksToSpeak(p Person) ([][]byte, error) {
	return a.join([]string{chimeAsk}, a.person(p), []string{wantsToSpeak, pressToLet})
}

// Ring returns the doorbell: chime, "somebody is at the door".
func (a *Archive) Ring() ([][]byte, error) { return a.join([]string{chimeRing, atTheDoor}) }

// Say returns a sentence that needs nothing else.
func (a *Archive) Say(p Phrase) ([][]byte, error) { return a.Clip(string(p)) }

// Number returns a number from 0 to 64, for a countdown; of more it says "more than 64".
func (a *Archive) Number(n int) ([][]byte, error) { return a.join(number(n)) }

// Audit returns how many members there are, each one's name and role, and who is
// watching now. It lasts as long as it takes; somebody may not want to hear its end.
func (a *Archive) Audit(all, watching []Person) ([][]byte, error) {
	noun := members
	if len(all) == 1 {
		noun = member
	}
	said := append(number(len(all)), noun, pause)
	for _, p := range all {
		name, _ := a.spoken(p.Name) // nothing, if it can't be spoken
		said = append(append(said, name...), role(p.Role), pause)
	}
	for i, p := range watching {
		if i > 0 {
			said = append(said, pause)
		}
		said = append(append(said, a.person(p)...), isWatching)
	}
	if len(watching) == 0 {
		said = append(said, string(NobodyWatches))
	}
	return a.join(said)
}

// join puts clips together.
func (a *Archive) join(parts ...[]string) (packets [][]byte, err error) {
	for _, names := range parts {
		for _, name := range names {
			c, err := a.Clip(name)
			if err != nil {
				return nil, err
			}
			packets = append(packets, c...)
		}
	}
	return packets, nil
}

// number names the clips of a number that isn't negative.
func number(n int) []string {
	switch {
	case n > highest:
		return append([]string{moreThan}, number(highest)...)
	case n < 10:
		return []string{"digit/" + strconv.Itoa(n)}
	case n < 20 || n%10 == 0:
		return []string{"number/" + strconv.Itoa(n)}
	}
	return append(number(n-n%10), number(n%10)...)
}

// role names the clip of a role, with its article.
func role(r proto.Role) string {
	switch r {
	case proto.RoleOwner, proto.RoleAdult, proto.RoleGuest:
		return "role/" + string(r)
	}
	return "role/member"
}
