package client

import (
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

func listening(t *testing.T, c *Camera) <-chan Notice {
	t.Helper()
	l, cancel, err := c.Notices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return l
}

var privacyOn = accesslog.Entry{Kind: accesslog.KindPrivacy, Client: ben, Name: "Ben", Reason: "on"}

func TestNoticesComeInOrderAndTellOfGaps(t *testing.T) {
	d, c := dialled(t)
	l := listening(t, c)
	first := d.notice(privacyOn, false)
	if n := <-l; n.Index != first || n.Missed || n.Entry.Name != "Ben" {
		t.Errorf("notice %+v", n)
	}
	d.notice(privacyOn, true)
	third := d.notice(privacyOn, false)
	if n := <-l; n.Index != third || !n.Missed {
		t.Errorf("notice %+v, want one that was missed before", n)
	}
	fourth := d.notice(privacyOn, false)
	if n := <-l; n.Index != fourth || n.Missed {
		t.Errorf("notice %+v", n)
	}
	if got := c.household.NoticeCursor(); got != (home.NoticeCursor{Known: true, Index: fourth}) {
		t.Errorf("kept %+v, want %d", got, fourth)
	}
}

func TestRepeatedAndForgedNoticesAreNotHeard(t *testing.T) {
	d, c := dialled(t)
	l := listening(t, c)
	index := d.notice(privacyOn, false)
	<-l
	text := string(must(privacyText().Bytes()))
	for _, n := range []proto.Notice{
		{Issuer: d.id, Audience: c.keys.ID(), Epoch: 1, Index: index, Entry: text},             // again
		{Issuer: d.id, Audience: c.keys.ID(), Epoch: 2, Index: index + 9, Entry: text},         // another epoch
		{Issuer: proto.NewDeviceID(), Audience: c.keys.ID(), Epoch: 1, Index: 99, Entry: text}, // another device
		{Issuer: d.id, Audience: ben, Epoch: 1, Index: index + 9, Entry: text},                 // another member
		{Issuer: d.id, Audience: c.keys.ID(), Epoch: 1, Index: index + 9, Entry: "{}"},         // no entry
	} {
		d.mqtt.Publish(proto.TopicOut(d.id, c.keys.ID()), 1, false, must(envelope.SealNotice(n, d.hhSig, d.client.Enc)))
	}
	next := d.notice(privacyOn, false)
	if n := <-l; n.Index != next || n.Missed {
		t.Errorf("notice %+v, want %d", n, next)
	}
	if n := c.Dropped(); n != 4 {
		t.Errorf("%d dropped, want 4", n)
	}
}

// A log that was put back tells of its new entries under numbers of before.
func TestNoticeUnderANumberOfBeforeHasTheLogProved(t *testing.T) {
	d, c := dialled(t)
	l := listening(t, c)
	asked := make(chan struct{}, 9)
	status(t, c)
	d.handle = func(proto.Request) (proto.Code, any) { asked <- struct{}{}; return proto.CodeOK, nil }
	index := d.notice(privacyOn, false)
	<-l
	again := must(d.log.Read(index, 1))[0].Text
	for _, text := range []string{string(again), string(must(privacyText().Bytes()))} { // the second one alone is news
		n := proto.Notice{Issuer: d.id, Audience: c.keys.ID(), Epoch: 1, Index: index, Entry: text}
		d.mqtt.Publish(proto.TopicOut(d.id, c.keys.ID()), 1, false, must(envelope.SealNotice(n, d.hhSig, d.client.Enc)))
	}
	select {
	case <-asked:
	case <-time.After(10 * time.Second):
		t.Fatal("it does not ask")
	}
	d.notice(privacyOn, false)
	<-l
	if len(asked) != 0 {
		t.Error("it asks about what it knows")
	}
}

func privacyText() accesslog.Entry {
	e := privacyOn
	e.Version, e.Epoch = accesslog.Version, 1
	return e
}

func TestWithheldNoticeIsToldOfByTheNextAnswer(t *testing.T) {
	d, c := dialled(t)
	l := listening(t, c)
	d.notice(privacyOn, false)
	<-l
	withheld := d.notice(privacyOn, true)
	status(t, c)
	if n := <-l; !n.Missed || n.Index != withheld || n.Entry.Kind != "" {
		t.Errorf("notice %+v, want a gap at %d", n, withheld)
	}
	next := d.notice(privacyOn, false)
	if n := <-l; n.Missed || n.Index != next {
		t.Errorf("notice %+v: the gap was told of already", n)
	}
}

func TestWhatTheLogShowedIsNotMissed(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	c := must(Dial(t.Context(), h, keys, r, quiet))
	l := listening(t, c)
	d.notice(privacyOn, false)
	<-l
	c.Close()
	if _, open := <-l; open {
		t.Error("the channel is open after Close")
	}
	lost := d.notice(privacyOn, false) // nobody is there

	c = must(Dial(t.Context(), h, keys, r, quiet))
	defer c.Close()
	if index, known, err := c.LastNotice(t.Context()); !known || err != nil || index != lost-1 {
		t.Errorf("last notice %d, %v, %v", index, known, err)
	}
	l = listening(t, c)
	if err := c.SawNotices(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	next := d.notice(privacyOn, false)
	if n := <-l; n.Missed || n.Index != next {
		t.Errorf("notice %+v", n)
	}
}

func TestSlowListenerHearsOfItsGap(t *testing.T) {
	n := notices{last: home.NoticeCursor{Known: true, Index: 1}}
	slow := &listener{out: make(chan Notice, 1)}
	n.listeners = []*listener{slow}
	for i := range 3 {
		n.deliver(Notice{Index: uint64(i)})
	}
	if got := <-slow.out; got.Index != 0 || got.Missed {
		t.Errorf("first %+v", got)
	}
	n.deliver(Notice{Index: 9})
	if got := <-slow.out; got.Index != 9 || !got.Missed {
		t.Errorf("next %+v, want missed", got)
	}
}

// A number that is made up hides none of the notices that come after.
func TestNumberThatIsMadeUpHidesNothing(t *testing.T) {
	const far = 1 << 40
	for name, lie := range map[string]func(d *device){
		"of a notice": func(d *device) {
			n := proto.Notice{Issuer: d.id, Audience: d.client.ClientID(), Epoch: 1, Index: far, Entry: string(must(privacyText().Bytes()))}
			d.mqtt.Publish(proto.TopicOut(d.id, n.Audience), 1, false, must(envelope.SealNotice(n, d.hhSig, d.client.Enc)))
		},
		"of an answer": func(d *device) {
			d.tamper = func(_ proto.Request, a *proto.Answer) { a.Noticed = far }
		},
		"none": func(*device) {},
	} {
		t.Run(name, func(t *testing.T) {
			d, c := dialled(t)
			status(t, c)
			l := listening(t, c)
			first := d.notice(privacyOn, false)
			<-l
			d.mu.Lock()
			lie(d)
			d.mu.Unlock()
			status(t, c)
			d.mu.Lock()
			d.tamper = nil
			d.mu.Unlock()
			next := d.notice(privacyOn, false)
			if n := <-l; n.Index != next || n.Missed || next != first+1 {
				t.Errorf("notice %+v, want %d", n, next)
			}
			if index, known, err := c.LastNotice(t.Context()); index != next || !known || err != nil {
				t.Errorf("last notice %d, %v, %v", index, known, err)
			}
			if err := c.do(t.Context(), func(s *state) {
				if s.notices.announced >= far {
					t.Error("it waits for a notice that the log does not have")
				}
			}); err != nil {
				t.Error(err)
			}
			calm(t, c)
		})
	}
}

// A number that another program, or an earlier one, has kept is not believed for ever.
func TestKeptNumberThatIsMadeUpIsForgotten(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	if err := must(home.OpenHousehold(h, r)).SetNoticeCursor(1 << 40); err != nil {
		t.Fatal(err)
	}
	c := must(Dial(t.Context(), h, keys, r, quiet))
	defer c.Close()
	status(t, c)
	if index, known, err := c.LastNotice(t.Context()); known || err != nil {
		t.Fatalf("last notice %d, %v, %v", index, known, err)
	}
	if got := c.household.NoticeCursor(); got.Known {
		t.Errorf("kept %+v", got)
	}
	l := listening(t, c)
	next := d.notice(privacyOn, false)
	if n := <-l; n.Index != next || n.Missed {
		t.Errorf("notice %+v, want %d", n, next)
	}
	calm(t, c)
}
