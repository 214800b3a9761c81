package accesslog

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/camd-project/camd/pkg/proto"
)

func TestSentence(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	both := []proto.Scope{proto.ScopeView, proto.ScopeListen}
	end := func(reason string) Entry {
		return Entry{Kind: KindEnd, Client: anna, Name: "Anna", Op: proto.OpLive, Scopes: both, Start: 7, Reason: reason}
	}
	update := func(step proto.UpdateStepKind, version, reason string) Entry {
		return Entry{Kind: KindUpdate, Step: step, Release: version, Reason: reason}
	}
	for want, e := range map[string]Entry{
		"The camera found version 1.2.0, and will install it.":                                                              update(proto.StepAvailable, "1.2.0", ""),
		"The camera installs version 1.2.0.":                                                                                update(proto.StepInstalling, "1.2.0", ""),
		"The camera installed version 1.2.0, and will run it from its next start.":                                          update(proto.StepInstalled, "1.2.0", ""),
		"The camera restarts into version 1.2.0.":                                                                           update(proto.StepRestarting, "1.2.0", ""),
		"The camera runs version 1.2.0, which has proved itself.":                                                           update(proto.StepConfirmed, "1.2.0", ""),
		"The update to version 1.2.0 failed: its camera gave no picture.":                                                   update(proto.StepFailed, "1.2.0", "its camera gave no picture"),
		"The camera could not tell whether version 1.2.0 works, and will try it again.":                                     update(proto.StepUndecided, "1.2.0", ""),
		"The camera refused an update: no witness signed it.":                                                               update(proto.StepRefused, "", "no witness signed it"),
		"The camera refused version “1.2.0. All is well”.":                                                                  update(proto.StepRefused, "1.2.0. All is well", ""),
		"ALARM: the camera was shown a log of releases that contradicts the one which it has seen, so it installs nothing.": update(proto.StepFork, "", ""),
		"Someone at the camera asked for version 1.2.0 at once.":                                                            {Kind: KindUpdate, Network: NetLocal, Step: proto.StepAsked, Release: "1.2.0"},
		"Anna put off version 1.2.0 until 3 Dec 2026 12:00.":                                                                {Kind: KindUpdate, Client: anna, Name: "Anna", Step: proto.StepPostponed, Release: "1.2.0", Until: 1796295600},
		"Anna gave the camera another certificate for its broker, good until 3 Dec 2026 12:00.":                             {Kind: KindCertificate, Client: anna, Name: "Anna", Network: NetMQTT, Until: 1796295600},
		"Someone at the camera gave the camera another certificate for its broker, good until 3 Dec 2026 12:00.":            {Kind: KindCertificate, Network: NetLocal, Until: 1796295600},
		"The camera renewed its certificate for the broker, now good until 3 Dec 2026 12:00.":                               {Kind: KindCertificate, Until: 1796295600},
		"The certificate of entry 7 was not used after all: the camera could not save it.":                                  {Kind: KindEnd, Op: proto.OpCertificate, Start: 7, Reason: ReasonNotApplied},
		"Anna was not allowed to give the camera another certificate: the right to it is missing.":                          {Kind: KindRefused, Client: anna, Name: "Anna", Op: proto.OpCertificate, Code: proto.CodeScope},
		"Anna changed settings: set_up=wifi.":                                                                               {Kind: KindSettings, Client: anna, Name: "Anna", Set: []string{proto.SetUpWiFi}},
		"The Wi-Fi network of entry 7 did not work: the camera went back to the previous one.":                              {Kind: KindEnd, Op: proto.OpWiFi, Start: 7, Reason: ReasonNotApplied},
		"Anna was not allowed to see or change the camera's Wi-Fi: the right to it is missing.":                             {Kind: KindRefused, Client: anna, Name: "Anna", Op: proto.OpWiFi, Code: proto.CodeScope},
		"Anna lets the camera update itself again.":                                                                         {Kind: KindUpdate, Client: anna, Name: "Anna", Step: proto.StepPostponed, Release: "1.2.0"},
		"The camera did something about an update that this program does not know: melt.":                                   update("melt", "", ""),
		"Ben was not allowed to update the camera: the right to it is missing.":                                             {Kind: KindRefused, Client: anna, Name: "Ben", Op: proto.OpUpdate, Scopes: []proto.Scope{proto.ScopeUpdate}, Code: proto.CodeScope},
		"Anna began to watch and listen.":                                                                                   {Kind: KindLive, Client: anna, Name: "Anna", Op: proto.OpLive, Scopes: both},
		"Member 01234567 began to listen.":                                                                                  {Kind: KindLive, Client: anna, Op: proto.OpLive, Scopes: both[1:]},
		"Anna stopped watching and listening.":                                                                              end(proto.EndBye),
		"Anna stopped watching or listening.":                                                                               {Kind: KindEnd, Client: anna, Name: "Anna", Op: proto.OpLive, Start: 7, Reason: proto.EndBye},
		`Anna stopped watching and listening: "tired".`:                                                                     end("tired"),
		"Anna stopped watching and listening: the right to it ended (removed).":                                             end(string(proto.CodeRevoked)),
		"Anna stopped watching and listening: the connection was lost.":                                                     end(proto.EndICE),
		"Anna got nothing to see or hear: too many were watching.":                                                          end(string(proto.CodeTooManySessions)),
		"Anna got nothing to see or hear: the camera had no picture or sound.":                                              end(string(proto.CodeNoMedia)),
		"Anna stopped watching and listening: no picture could be shown.":                                                   end(proto.EndPicture),
		"What entry 7 says about Anna was not done: the camera stopped first.":                                              end(ReasonNotApplied),
		"Anna paired at the camera and became owner.":                                                                       {Kind: KindPair, Client: anna, Name: "Anna", Role: proto.RoleOwner, Network: NetLocal},
		"Ben was not allowed to listen: the right to it is missing.":                                                        {Kind: KindRefused, Client: anna, Name: "Ben", Op: proto.OpLive, Scopes: both[1:], Code: proto.CodeScope},
		"Ben was not allowed to add someone: the right to it is missing.":                                                   {Kind: KindRefused, Client: anna, Name: "Ben", Op: proto.OpGrant, Code: proto.CodeScope},
		`Ben was not allowed to do "fly": "later".`:                                                                         {Kind: KindRefused, Client: anna, Name: "Ben", Op: "fly", Code: "later"},
		"The camera dropped 8 messages: 3 garbled, 5 replayed.":                                                             {Kind: KindHostile, Drops: &Drops{Garbled: 3, Replay: 5}},
		"The camera dropped hostile messages.":                                                                              {Kind: KindHostile},
		"Epoch 4 of the household began: the camera's store was damaged.":                                                   {Kind: KindEpoch, Epoch: 4, Reason: "the camera's store was damaged"},
		"Anna asked for a picture.":                                                                                         {Kind: KindSnapshot, Client: anna, Name: "Anna", Op: proto.OpSnapshot, Scopes: []proto.Scope{proto.ScopeSnapshot}},
		"Anna got a picture.":                                                                                               {Kind: KindEnd, Client: anna, Name: "Anna", Op: proto.OpSnapshot, Start: 7, Reason: "ok"},
		"Anna got no picture: privacy mode is on.":                                                                          {Kind: KindEnd, Client: anna, Name: "Anna", Op: proto.OpSnapshot, Start: 7, Reason: string(proto.CodePrivacy)},
		"Ben was not allowed to talk: quiet hours.":                                                                         {Kind: KindRefused, Client: anna, Name: "Ben", Op: proto.OpTalk, Scopes: []proto.Scope{proto.ScopeTalk}, Code: proto.CodeQuiet},
		"Ben was not allowed to take pictures: the right to it is missing.":                                                 {Kind: KindRefused, Client: anna, Name: "Ben", Op: proto.OpSnapshot, Scopes: []proto.Scope{proto.ScopeSnapshot}, Code: proto.CodeScope},
		"Someone rang the bell.":                                                                                            {Kind: KindRing, Network: NetLocal},
		"Anna removed Cara.":                                                                                                {Kind: KindRevoke, Client: anna, Name: "Anna", Subject: "c", SubjectName: "Cara"},
		"Someone at the camera removed Cara.":                                                                               {Kind: KindRevoke, Network: NetLocal, Subject: "c", SubjectName: "Cara"},
		"Anna left.":                                                                                                        {Kind: KindRevoke, Client: anna, Name: "Anna", Subject: anna, SubjectName: "Anna"},
		"Anna removed Ben; the guests stay, as guests of Anna.":                                                             {Kind: KindRevoke, Client: anna, Name: "Anna", Subject: "b", SubjectName: "Ben", Keep: true},
		"Cara was removed, too, as a guest of the member removed in entry 9.":                                               {Kind: KindRevoke, Client: anna, Name: "Anna", Subject: "c", SubjectName: "Cara", Start: 9},
		"Anna changed settings: time_zone=Europe/Berlin, quiet_hours=22:00-07:00.":                                          {Kind: KindSettings, Client: anna, Name: "Anna", Set: []string{"time_zone=Europe/Berlin", "quiet_hours=22:00-07:00"}},
		"Someone at the camera switched privacy mode on.":                                                                   {Kind: KindPrivacy, Network: NetLocal, Reason: PrivacyOn},
		"Anna switched privacy mode off.":                                                                                   {Kind: KindPrivacy, Client: anna, Name: "Anna", Reason: PrivacyOff},
		"Someone at the camera removed everyone; all have to pair again.":                                                   {Kind: KindEvict, Network: NetLocal},
		"Someone at the camera wiped the camera.":                                                                           {Kind: KindReset, Network: NetLocal},
		"ALARM: Anna was shown access logs that contradict each other.":                                                     {Kind: KindAlarm, Client: anna, Name: "Anna"},
		`The camera: "melt", which this program does not know.`:                                                             {Kind: "melt"},
		"Anna added Cara as guest: may watch; Mo-Fr 08:00-17:00; until 3 Dec 2026 12:00.": {Kind: KindGrant, Client: anna, Name: "Anna",
			Role: proto.RoleGuest, Scopes: both[:1], Subject: "c", SubjectName: "Cara", Weekly: "Mo-Fr 08:00-17:00", Until: 1796295600},
		`Anna added Ben as adult: may watch, change settings and "fly"; from 3 Dec 2026 12:00.`: {Kind: KindGrant, Client: anna, Name: "Anna",
			Role: proto.RoleAdult, Scopes: []proto.Scope{proto.ScopeView, proto.ScopeSettings, "fly"}, Subject: "b", SubjectName: "Ben", From: 1796295600},
		"Anna began 99 times to watch and listen for less than 10 seconds between 3 Dec 2026 12:00 and 3 Dec 2026 12:30; the texts of these entries, from 5 to 300, were dropped.": {
			Kind: KindMerged, Client: anna, Name: "Anna", Scopes: both, Start: 5, Last: 300, Count: 99, From: 1796295600, Until: 1796297400},
		"ALARM: Anna has seen entries of the access log that the camera lost. Its storage was rolled back, or copied.": {Kind: KindRollback, Client: anna, Name: "Anna"},
	} {
		if got := Sentence(e, berlin); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

// The end of a talk says whether the room heard the member only where that is certain.
func TestSentenceOfATalksEnd(t *testing.T) {
	for reason, want := range map[string]string{
		proto.EndBye:      "Ben stopped talking.",
		proto.EndSession:  "Ben stopped talking: the live session ended.",
		proto.EndIdle:     "Ben stopped talking: nobody spoke for a minute.",
		proto.EndPressed:  "Ben stopped talking: someone at the camera ended it.",
		proto.EndSpeaker:  "Ben stopped talking: the camera's speaker failed.",
		proto.EndShutdown: "Ben stopped talking: the camera stopped.",

		string(proto.CodeCancelled):   "Ben was not heard: the member ended it before it began.",
		string(proto.CodeBlocked):     "Ben was not heard: someone at the camera ended talk.",
		string(proto.CodeNoSession):   "Ben was not heard: the live session had ended.",
		string(proto.CodeNoSpeaker):   "Ben was not heard: the camera's speaker did not work.",
		string(proto.CodeNotAccepted): "Ben was not heard: nobody in the room accepted it.",
		string(proto.CodeBusy):        "Ben was not heard: the camera was busy or stopping.",

		string(proto.CodePrivacy):  "Ben was no longer allowed to talk: privacy mode is on.",
		string(proto.CodeQuiet):    "Ben was no longer allowed to talk: quiet hours.",
		string(proto.CodeRevoked):  "Ben was no longer allowed to talk: the right to it ended (removed).",
		string(proto.CodeExpired):  "Ben was no longer allowed to talk: the right to it ended (its time is over).",
		string(proto.CodeSchedule): "Ben was no longer allowed to talk: outside the allowed times.",
	} {
		if got := Sentence(Entry{Kind: KindEnd, Client: anna, Name: "Ben", Op: proto.OpTalk, Start: 7, Reason: reason}, time.UTC); got != want {
			t.Errorf("%s:\n got %s\nwant %s", reason, got, want)
		}
	}
	for _, l := range []map[string]bool{never, unheard} {
		for reason := range l {
			if withdrawn[reason] {
				t.Errorf("%s says that nothing was heard, and that something may have been", reason)
			}
		}
	}
}

// A name can't say what the camera has not said.
func TestNamesAreNoSentences(t *testing.T) {
	for name, want := range map[string]string{
		"Anna": "Anna", "Änne-Marie": "Änne-Marie", "O'Neill": "O'Neill", "अनिता": "अनिता", "Tablet2": "Tablet2",
		"Anna removed Bob. Anna":   "“Anna removed Bob. Anna”",
		"Anna removed Bob and Eve": "“Anna removed Bob and Eve”",
		"Someone at the camera":    "“Someone at the camera”",
		"The camera":               "“The camera”",
		"Member 01234567":          "“Member 01234567”",
		"Anna” removed Bob. “Anna": "“Anna' removed Bob. 'Anna”",
		`"«Anna»"`:                 "“''Anna''”",
		"Anna:":                    "“Anna:”",
	} {
		if got := Sentence(Entry{Kind: KindEvict, Client: anna, Name: name}, time.UTC); got != want+" removed everyone; all have to pair again." {
			t.Errorf("%q: %s", name, got)
		}
		if got := Sentence(Entry{Kind: KindRevoke, Client: anna, Name: "Anna", Subject: "c", SubjectName: name}, time.UTC); got != "Anna removed "+want+"." {
			t.Errorf("%q: %s", name, got)
		}
		if got := Sentence(Entry{Kind: KindSettings, Client: anna, Name: "Anna", Set: []string{"name=" + name}}, time.UTC); got != "Anna changed settings: name="+want+"." {
			t.Errorf("%q: %s", name, got)
		}
	}
}

// What a hostile device puts into an entry can't steer the terminal that shows it.
func TestSentenceIsHarmless(t *testing.T) {
	const evil = "\x1b[2J\r\n\x07\u202e\u2066\u200f\u0085\ufeff\u2028"
	for _, k := range []Kind{KindLive, KindSnapshot, KindRing, KindEnd, KindPair, KindRefused, KindHostile, KindEpoch, KindGrant, KindRevoke, KindSettings,
		KindPrivacy, KindEvict, KindReset, KindAlarm, KindRollback, KindMerged, KindUpdate, KindCertificate, evil} {
		for _, name := range []string{"", evil} {
			e := Entry{Kind: k, Client: evil, Name: name, Role: evil, Op: evil, Scopes: []proto.Scope{evil}, Network: evil, Session: evil,
				Reason: evil, Code: evil, Subject: evil, SubjectName: name, Weekly: evil, Set: []string{evil}, Grant: evil, Step: evil, Release: evil,
				From: -1 << 63, Until: 1<<63 - 1, Last: 1<<64 - 1, Count: 1<<64 - 1, Drops: &Drops{Busy: 1<<64 - 1, Stale: 2}}
			s := Sentence(e, time.UTC)
			if i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%q: character %U", s, []rune(s[i:])[0])
			}
		}
	}
}

func TestNoticed(t *testing.T) {
	for k, want := range map[Kind]bool{KindLive: true, KindSnapshot: true, KindRing: true, KindEnd: true, KindGrant: true, KindRevoke: true, KindPair: true, KindSettings: true,
		KindPrivacy: true, KindEvict: true, KindReset: true, KindAlarm: true, KindRollback: true, KindEpoch: true, KindUpdate: true, KindCertificate: true,
		KindRefused: false, KindHostile: false, KindMerged: false, "later": false} {
		if k.Noticed() != want {
			t.Errorf("%s: %v", k, !want)
		}
	}
}
