package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/sound"
)

// loud is a home whose speaker writes what it plays to a file, at the pace of a card.
type loud struct {
	*house
	played string
}

func newLoud(t *testing.T, tables string) *loud {
	t.Helper()
	path := filepath.Join(t.TempDir(), "played.raw")
	return &loud{newHomeWith(t, newKeys(t), synthetic+fmt.Sprintf("speaker = \"file\"\nspeaker_file = %q\n%s", path, tables)), path}
}

// samples is all that was played so far.
func (l *loud) samples() []int16 {
	l.t.Helper()
	return sound.Played(l.t, l.played)
}

// speaker is someone who watches, and has sent their voice from the first moment on.
type speaker struct {
	*hostile.Client
	stop func()
}

// speaks has someone watch, in the session s, and send a loud tone without end.
func (l *loud) speaks(keys *home.Keys) speaker {
	l.t.Helper()
	c := l.as(keys)
	c.Hello()
	v := hostile.NewSpeaker(l.t)
	v.Answer(liveAnswer(l.t, c.Do(c.Request(proto.OpLive, "s", v.LiveRequest()))))
	v.State(webrtc.PeerConnectionStateConnected)
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { l.say(v, over) })
	stop := sync.OnceFunc(func() { close(over); wg.Wait() })
	l.t.Cleanup(stop)
	return speaker{c, stop}
}

func (l *loud) say(v *hostile.Viewer, over <-chan struct{}) {
	encoder, err := opus.New(32000)
	if err != nil {
		l.t.Error(err)
		return
	}
	defer encoder.Close()
	frame, n := make([]int16, opus.FrameSamples), 0
	for pace := time.NewTicker(20 * time.Millisecond); ; {
		sound.Tone(frame, n)
		n += len(frame)
		packet, err := encoder.Encode(nil, frame)
		if err != nil {
			l.t.Error(err)
			return
		}
		v.Say(packet)
		select {
		case <-over:
			pace.Stop()
			return
		case <-pace.C:
		}
	}
}

// asksToTalk asks three times at most while the speaker is said not to work: on a machine
// that does other work the card may run empty twice within one notice.
func (l *loud) asksToTalk(s speaker, sid string) (code proto.Code) {
	l.t.Helper()
	for range 3 {
		if code = s.Do(s.Request(proto.OpTalk, sid, proto.TalkRequest{Live: "s"})).Code; code != proto.CodeNoSpeaker {
			return code
		}
	}
	return code
}

// silentRoom fails if anything of the attacker's voice was played.
func (l *loud) silentRoom(after string) {
	l.t.Helper()
	l.probe.Settle()
	if s := l.samples(); sound.FirstTone(s) != len(s) {
		l.t.Errorf("%s the room heard a voice", after)
	}
}

func (l *loud) logged(ok func(accesslog.Entry) bool) bool {
	l.t.Helper()
	return slices.ContainsFunc(l.entries(), ok)
}

func talkRefused(code proto.Code) func(accesslog.Entry) bool {
	return func(e accesslog.Entry) bool {
		return e.Kind == accesslog.KindRefused && e.Op == proto.OpTalk && e.Code == code
	}
}

func TestT7WhoMayOnlyViewIsNeverHeard(t *testing.T) {
	l := newLoud(t, "")
	eve := l.speaks(l.invite(l.probe, proto.Grant{Name: "Eve"})) // a guest: view and listen
	time.Sleep(time.Second)                                      // of voice that nobody let in
	if code := l.asksToTalk(eve, "t"); code != proto.CodeScope {
		t.Errorf("asked to talk: %s", code)
	}
	if a := eve.Do(eve.Request(proto.OpTalk, "t2", proto.TalkRequest{Live: "nobody's"})); a.Code != proto.CodeScope {
		t.Errorf("asked to talk in another session: %s", a.Code)
	}
	l.silentRoom("of one who may only watch,")
	if n := len(l.samples()); n != 0 {
		t.Errorf("%d samples were played", n)
	}
	if !l.logged(talkRefused(proto.CodeScope)) {
		t.Error("the log does not tell that somebody tried")
	}
	// The control: who may is heard.
	ben := l.speaks(l.invite(l.probe, proto.Grant{Name: "Ben", Role: proto.RoleAdult}))
	if code := l.asksToTalk(ben, "t"); code != proto.CodeOK {
		t.Fatalf("who may talk: %s", code)
	}
	l.Until("the room hears who may", func() bool { s := l.samples(); return sound.FirstTone(s) < len(s) })
}

func TestT8NothingIsHeardBeforeTheWholeNotice(t *testing.T) {
	l := newLoud(t, "")
	want := sound.Announcement(t, prompt.Person{Name: "Anna", Role: proto.RoleAdult})
	anna := l.speaks(l.owner.Keys())
	before := len(l.evil.Messages())
	if code := l.asksToTalk(anna, "t"); code != proto.CodeOK {
		t.Fatalf("answer: %s", code)
	}
	l.Until("the voice is heard", func() bool { s := l.samples(); return sound.FirstTone(s) < len(s) })
	anna.Do(anna.Request(proto.OpBye, "t", nil))
	all := l.samples()
	first := sound.FirstTone(all)
	alike, end := sound.Holds(all[:first], want)
	if alike < 0.95 {
		t.Errorf("before the voice, the room heard the notice with a likeness of %.2f", alike)
	}
	t.Logf("the notice ends at %d ms, the voice begins at %d ms; likeness %.3f", end/48, first/48, alike)
	told := func(m hostile.Message) bool { return l.tells(m, l.owner.Keys(), `"k":"talk"`) }
	if !slices.ContainsFunc(l.evil.Messages()[before:], told) {
		t.Error("the members were not told")
	}
	l.probe.Settle()
	if n := len(l.samples()); n > len(all)+48000 {
		t.Error("it is heard after its end")
	}
	if !l.logged(func(e accesslog.Entry) bool { return e.Kind == accesslog.KindEnd && e.Op == proto.OpTalk }) {
		t.Error("the log does not tell the end")
	}
}

// A chime that is missing denies talk; so does a speaker that can't be opened.
func TestT8WithoutANoticeNobodyIsHeard(t *testing.T) {
	for name, c := range map[string]struct {
		tables func(t *testing.T) string
		want   proto.Code
	}{
		"no chime": {func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "prompts")
			withoutChime(t, path)
			return fmt.Sprintf("prompts = %q\n", path)
		}, proto.CodeNoChime},
		"no speaker": {func(*testing.T) string { return "" }, proto.CodeNoSpeaker},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoud(t, c.tables(t))
			if name == "no speaker" {
				if err := os.Mkdir(l.played, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			anna := l.speaks(l.owner.Keys())
			if code := l.asksToTalk(anna, "t"); code != c.want {
				t.Errorf("answer: %s, want %s", code, c.want)
			}
			if !l.logged(talkRefused(c.want)) {
				t.Error("the log does not tell that somebody tried")
			}
			if c.want == proto.CodeNoChime {
				l.silentRoom("without a chime")
			}
		})
	}
}

// It waits for a press that does not come, so it runs beside the others.
func TestT9QuietHoursAndKidsRoomWithoutAPress(t *testing.T) {
	t.Parallel()
	l := newLoud(t, "[household]\nclock = \"battery\"\n")
	anna := l.speaks(l.owner.Keys())
	minute := time.Now().UTC()
	hours := minute.Add(-time.Hour).Format("15:04") + "-" + minute.Add(time.Hour).Format("15:04")
	if _, err := l.owner.SetSettings(t.Context(), proto.SettingsChange{QuietHours: &hours}); err != nil {
		t.Fatal(err)
	}
	if code := l.asksToTalk(anna, "t1"); code != proto.CodeQuiet {
		t.Errorf("in quiet hours: %s", code)
	}
	if n := len(l.samples()); n != 0 {
		t.Errorf("quiet hours: %d samples were played", n)
	}
	never, accepted := "", proto.TalkAccepted
	if _, err := l.owner.SetSettings(t.Context(), proto.SettingsChange{QuietHours: &never, Talk: &accepted}); err != nil {
		t.Fatal(err)
	}
	if code := l.asksToTalk(anna, "t2"); code != proto.CodeNotAccepted {
		t.Errorf("nobody pressed: %s", code)
	}
	l.silentRoom("in a kids' room where nobody pressed,")
	if _, err := l.owner.SetSettings(t.Context(), proto.SettingsChange{Talk: new(proto.TalkAnnounced)}); err == nil {
		t.Error("a kids' room is made an ordinary one from afar")
	}
	if !l.logged(talkRefused(proto.CodeQuiet)) {
		t.Error("the log does not tell that somebody tried")
	}
	// The control: a press lets it in.
	over := make(chan struct{})
	var pressing sync.WaitGroup
	pressing.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(100 * time.Millisecond):
				_, _ = l.Run("talk", "accept") // nobody waits yet, or has been let in already
			}
		}
	})
	code := l.asksToTalk(anna, "t3")
	close(over)
	pressing.Wait()
	if code != proto.CodeOK {
		t.Fatalf("after a press: %s", code)
	}
	l.Until("the room hears it", func() bool { s := l.samples(); return sound.FirstTone(s) < len(s) })
}

// withoutChime writes the built-in archive of prompts without the chime.
func withoutChime(t *testing.T, path string) {
	t.Helper()
	archive, err := prompt.Default()
	if err != nil {
		t.Fatal(err)
	}
	clips := map[string][][]byte{}
	for _, name := range archive.Names() {
		if name != prompt.ChimeTalk {
			if clips[name], err = archive.Clip(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	data, err := prompt.Marshal(clips)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
