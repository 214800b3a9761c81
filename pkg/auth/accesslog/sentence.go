package accesslog

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/camd-project/camd/pkg/proto"
)

// Sentence returns one English sentence that says what an entry records, without the time
// of the entry. Other times in the entry are shown in loc. An entry may come from a hostile
// device, so the sentence has only printable characters.
func Sentence(e Entry, loc *time.Location) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar // replaces what is invisible: controls, line ends, direction marks
	}, sentence(e, loc))
}

func sentence(e Entry, loc *time.Location) string {
	switch e.Kind {
	case KindLive, KindTalk:
		return e.who() + " began to " + deeds(e.Scopes, todo) + "."
	case KindEnd:
		return e.ended()
	case KindPair:
		return e.who() + " paired at the camera and became " + string(e.Role) + "."
	case KindRefused:
		return e.who() + " was not allowed to " + e.asked() + ": " + because(string(e.Code)) + "."
	case KindHostile:
		return e.hostile()
	case KindEpoch:
		return fmt.Sprintf("Epoch %d of the household began: %s.", e.Epoch, e.Reason)
	case KindGrant:
		return e.granted(loc)
	case KindRevoke:
		return e.revoked()
	case KindSettings:
		return e.who() + " changed settings: " + e.settings() + "."
	case KindPrivacy:
		return e.who() + " switched privacy mode " + e.Reason + "."
	case KindMerged:
		return fmt.Sprintf("%s began %d times to %s for less than %d seconds between %s and %s; the texts of these entries, from %d to %d, were dropped.",
			e.who(), e.Count, deeds(e.Scopes, todo), int(short/time.Second), moment(e.From, loc), moment(e.Until, loc), e.Start, e.Last)
	}
	switch e.Kind {
	case KindUpdate:
		return e.updated(loc)
	case KindCertificate:
		return e.certificate(loc)
	}
	return e.other()
}

// other returns the sentences that need no more than a name.
func (e Entry) other() string {
	switch e.Kind {
	case KindEvict:
		return e.who() + " removed everyone; all have to pair again."
	case KindReset:
		return e.who() + " wiped the camera."
	case KindSnapshot:
		return e.who() + " asked for a picture."
	case KindRing:
		return "Someone rang the bell."
	case KindAlarm:
		return "ALARM: " + e.who() + " was shown access logs that contradict each other."
	case KindRollback:
		return "ALARM: " + e.who() + " has seen entries of the access log that the camera lost. Its storage was rolled back, or copied."
	}
	return fmt.Sprintf("%s: %q, which this program does not know.", e.who(), string(e.Kind))
}

// who returns who did it.
func (e Entry) who() string {
	switch {
	case e.Client != "":
		return called(e.Name, e.Client)
	case e.Network == NetLocal:
		return "Someone at the camera"
	}
	return "The camera"
}

// called returns a member's name, or the beginning of its client identifier if it has no name.
func called(name string, c proto.ClientID) string {
	if name != "" {
		return quoted(name)
	}
	return fmt.Sprintf("Member %.8s", string(c))
}

// quoted puts a text that a person chose into quotation marks, unless it is one word, so that
// it can't read like a sentence of the camera's. The text itself can't end the quotation.
func quoted(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.N) && r != '-' && r != '\'' && r != '’'
	}) {
		return s
	}
	return "“" + strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Quotation_Mark) {
			return '\''
		}
		return r
	}, s) + "”"
}

func (e Entry) ended() string {
	switch {
	case e.Reason == ReasonNotApplied && e.Op == proto.OpCertificate:
		return fmt.Sprintf("The certificate of entry %d was not used after all: the camera could not save it.", e.Start)
	case e.Reason == ReasonNotApplied && e.Op == proto.OpWiFi:
		return fmt.Sprintf("The Wi-Fi network of entry %d did not work: the camera went back to the previous one.", e.Start)
	case e.Reason == ReasonNotApplied:
		return fmt.Sprintf("What entry %d says about %s was not done: the camera stopped first.", e.Start, e.who())
	case e.Op == proto.OpTalk && unheard[e.Reason]:
		return fmt.Sprintf("%s was not heard: %s.", e.who(), because(e.Reason))
	case e.Op == proto.OpTalk && withdrawn[e.Reason]:
		return fmt.Sprintf("%s was no longer allowed to talk: %s.", e.who(), because(e.Reason))
	case e.Op == proto.OpSnapshot && e.Reason == string(proto.CodeOK):
		return e.who() + " got a picture."
	case e.Op == proto.OpSnapshot:
		return fmt.Sprintf("%s got no picture: %s.", e.who(), because(e.Reason))
	case never[e.Reason]:
		return fmt.Sprintf("%s got nothing to see or hear: %s.", e.who(), because(e.Reason))
	case e.Reason == proto.EndBye:
		return e.who() + " stopped " + e.done() + "."
	}
	return e.who() + " stopped " + e.done() + ": " + because(e.Reason) + "."
}

// done returns what ended.
func (e Entry) done() string {
	if e.Op == proto.OpTalk {
		return deeds([]proto.Scope{proto.ScopeTalk}, doing)
	}
	return deeds(e.Scopes, doing)
}

func (e Entry) granted(loc *time.Location) string {
	s := e.who() + " added " + called(e.SubjectName, e.Subject) + " as " + string(e.Role) + ": may " + deeds(e.Scopes, todo)
	if e.Weekly != "" {
		s += "; " + e.Weekly
	}
	if e.From != 0 {
		s += "; from " + moment(e.From, loc)
	}
	if e.Until != 0 {
		s += "; until " + moment(e.Until, loc)
	}
	return s + "."
}

func (e Entry) revoked() string {
	subject := called(e.SubjectName, e.Subject)
	switch {
	case e.Start != 0:
		return fmt.Sprintf("%s was removed, too, as a guest of the member removed in entry %d.", subject, e.Start)
	case e.Client != "" && e.Client == e.Subject:
		subject += " left"
	default:
		subject = e.who() + " removed " + subject
	}
	if e.Keep {
		return subject + "; the guests stay, as guests of " + e.who() + "."
	}
	return subject + "."
}

func (e Entry) settings() string {
	list := make([]string, len(e.Set))
	for i, s := range e.Set {
		list[i] = s
		if name, ok := strings.CutPrefix(s, "name="); ok {
			list[i] = "name=" + quoted(name)
		}
	}
	return strings.Join(list, ", ")
}

// certificate returns who gave the camera another certificate.
func (e Entry) certificate(loc *time.Location) string {
	if e.Client == "" && e.Network == "" {
		return "The camera renewed its certificate for the broker, now good until " + moment(e.Until, loc) + "."
	}
	return e.who() + " gave the camera another certificate for its broker, good until " + moment(e.Until, loc) + "."
}

// asked returns what a refused request was for.
func (e Entry) asked() string {
	switch e.Op {
	case proto.OpLive, proto.OpTalk, proto.OpSnapshot, proto.OpEvents:
		return deeds(e.Scopes, todo)
	case proto.OpMembers:
		return "see the members"
	case proto.OpGrant:
		return "add someone"
	case proto.OpRevoke:
		return "remove someone"
	case proto.OpSettings, proto.OpSetSettings:
		return "see or change settings"
	case proto.OpPrivacy:
		return "switch privacy mode"
	case proto.OpLog:
		return "read the access log"
	case proto.OpUpdate:
		return deeds([]proto.Scope{proto.ScopeUpdate}, todo)
	case proto.OpCertificate:
		return "give the camera another certificate"
	case proto.OpWiFi:
		return "see or change the camera's Wi-Fi"
	case proto.OpPush:
		return "get notices through a push service"
	}
	return fmt.Sprintf("do %q", string(e.Op))
}

func (e Entry) hostile() string {
	var d Drops
	if e.Drops != nil {
		d = *e.Drops
	}
	var kinds []string
	var sum uint64
	for _, c := range []struct {
		n    uint64
		what string
	}{
		{d.Oversized, "oversized"}, {d.Garbled, "garbled"}, {d.Unknown, "of unknown keys"}, {d.Signature, "with a wrong signature"},
		{d.Claims, "with wrong claims"}, {d.Topic, "on another's topic"}, {d.Audience, "for another camera"},
		{d.Epoch, "of another epoch"}, {d.Replay, "replayed"}, {d.Stale, "stale"}, {d.Duplicate, "repeated"}, {d.Busy, "too many"},
	} {
		if sum += c.n; c.n != 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if sum == 0 {
		return "The camera dropped hostile messages."
	}
	return fmt.Sprintf("The camera dropped %d messages: %s.", sum, strings.Join(kinds, ", "))
}

// moment returns a time, given in Unix seconds, as text.
func moment(unix int64, loc *time.Location) string {
	return time.Unix(unix, 0).In(loc).Format("2 Jan 2006 15:04")
}

// The forms of the words for a scope: "watch" and "watching".
const (
	todo = iota
	doing
)

var forms = map[proto.Scope][2]string{
	proto.ScopeView:     {"watch", "watching"},
	proto.ScopeListen:   {"listen", "listening"},
	proto.ScopeTalk:     {"talk", "talking"},
	proto.ScopeSnapshot: {"take pictures", "taking pictures"},
	proto.ScopeEvents:   {"follow events", "following events"},
	proto.ScopeSettings: {"change settings", "changing settings"},
	proto.ScopeMembers:  {"manage members", "managing members"},
	proto.ScopeUpdate:   {"update the camera", "updating the camera"},
	proto.ScopeAudit:    {"read the access log", "reading the access log"},
}

// deeds returns what scopes allow, in one of the forms. The end of a session whose scopes are
// no longer known gets words that fit any of them.
func deeds(scopes []proto.Scope, form int) string {
	var list []string
	for _, s := range scopes {
		if f, ok := forms[s]; ok {
			list = append(list, f[form])
		} else {
			list = append(list, fmt.Sprintf("%q", string(s)))
		}
	}
	switch n := len(list); n {
	case 0:
		return [2]string{"do nothing", "watching or listening"}[form]
	case 1:
		return list[0]
	default:
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
}

// never has the reasons of an end that came before anything was sent. A session that has
// begun must not end with one of them: the log would then deny what was seen or heard.
var never = map[string]bool{
	string(proto.CodeBadRequest): true, string(proto.CodeTooManySessions): true, string(proto.CodeTooManyOwn): true, string(proto.CodeNoMedia): true,
	string(proto.CodeCodec): true, string(proto.CodeBusy): true, string(proto.CodeInternal): true,
	string(proto.CodeNoLight): true,
}

// unheard has the reasons of a talk's end that came before the camera listened.
var unheard = map[string]bool{
	string(proto.CodeNoSpeaker): true, string(proto.CodeNoChime): true, string(proto.CodeTalking): true,
	string(proto.CodeNotAccepted): true, string(proto.CodeBlocked): true, string(proto.CodeNoSession): true,
	string(proto.CodeBadRequest): true, string(proto.CodeInternal): true, string(proto.CodeBusy): true,
	string(proto.CodeCancelled): true,
}

// withdrawn are the codes with which a right ends. A talk may end so before or after the
// camera listened, and the entry does not say which.
var withdrawn = map[string]bool{
	string(proto.CodeScope): true, string(proto.CodeSchedule): true, string(proto.CodeExpired): true, string(proto.CodeRevoked): true,
	string(proto.CodeSuspended): true, string(proto.CodePrivacy): true, string(proto.CodeClock): true, string(proto.CodeQuiet): true,
}

var reasons = map[string]string{
	proto.EndICE:      "the connection was lost",
	proto.EndSilent:   "nothing came from the viewer any more",
	proto.EndRevoked:  "the right to it ended",
	proto.EndShutdown: "the camera stopped",
	proto.EndMedia:    "sending failed",
	proto.EndLight:    "the camera's live LED went out",
	proto.EndPicture:  "no picture could be shown",

	proto.EndIdle:    "nobody spoke for a minute",
	proto.EndPressed: "someone at the camera ended it",
	proto.EndSpeaker: "the camera's speaker failed",
	proto.EndSession: "the live session ended",

	string(proto.CodeNoLight):         "the camera's live LED did not work",
	string(proto.CodeNoSpeaker):       "the camera's speaker did not work",
	string(proto.CodeNoChime):         "the camera could not announce it",
	string(proto.CodeTalking):         "someone else was speaking",
	string(proto.CodeQuiet):           "quiet hours",
	string(proto.CodeNotAccepted):     "nobody in the room accepted it",
	string(proto.CodeBlocked):         "someone at the camera ended talk",
	string(proto.CodeCancelled):       "the member ended it before it began",
	string(proto.CodeNoSession):       "the live session had ended",
	string(proto.CodeScope):           "the right to it is missing",
	string(proto.CodeSchedule):        "outside the allowed times",
	string(proto.CodeExpired):         "the right to it ended (its time is over)",
	string(proto.CodeRevoked):         "the right to it ended (removed)",
	string(proto.CodeSuspended):       "guests are suspended until an owner uses the camera",
	string(proto.CodePrivacy):         "privacy mode is on",
	string(proto.CodeClock):           "the right depends on the time, which the camera does not know",
	string(proto.CodeAtDevice):        "only someone at the camera may do it",
	string(proto.CodeStorage):         "the access log could not be written",
	string(proto.CodeBadRequest):      "the request was not understood",
	string(proto.CodeTooManySessions): "too many were watching",
	string(proto.CodeTooManyOwn):      "the member was watching already, or its guests were",
	string(proto.CodeNoMedia):         "the camera had no picture or sound",
	string(proto.CodeCodec):           "the viewer can't show this video",
	string(proto.CodeBusy):            "the camera was busy or stopping",
	string(proto.CodeInternal):        "something failed inside the camera",
}

// because returns words for a reason or a code. One that is not known is shown as it is.
func because(reason string) string {
	if s, ok := reasons[reason]; ok {
		return s
	}
	return fmt.Sprintf("%q", reason)
}
