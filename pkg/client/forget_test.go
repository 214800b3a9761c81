package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// keptHere is of how many entries the camera keeps the hashes in these tests.
const keptHere = 50

// forgetful is a camera whose log keeps few hashes, and a client that knows so.
func forgetful(t *testing.T) (*device, *Camera) {
	t.Helper()
	d, c := dialled(t)
	c.kept = keptHere
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = must(accesslog.OpenKeeping(d.store(), 1, accesslog.Origin(d.id, 1), d.logKey, keptHere))
	d.fill(2)
	d.handle = d.wholePages(nil)
	return d, c
}

// fill appends entries. The device's lock is held.
func (d *device) fill(n int) {
	size := must(d.log.Head())
	for i := range n {
		must(d.log.Append(accesslog.Entry{Kind: accesslog.KindSettings, Set: []string{fmt.Sprint(size + uint64(i))}}))
	}
}

func (d *device) grow(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fill(n)
}

// wholePages answers op log with pages as the camera cuts them, which lie may change.
func (d *device) wholePages(lie func(*proto.LogAnswer, accesslog.Front)) func(proto.Request) (proto.Code, any) {
	return func(r proto.Request) (proto.Code, any) {
		var q proto.LogRequest
		if r.Op != proto.OpLog || json.Unmarshal(r.Body, &q) != nil {
			return proto.CodeOK, nil
		}
		a := proto.LogAnswer{Size: must(d.log.Head())}
		l, front, err := d.log.ReadFront(1, q.From, 20)
		if err != nil {
			d.t.Error(err)
		}
		if q.From < front.Size {
			a.Forgot, a.Peaks = front.Size, front.Encode()
		}
		for _, rec := range l {
			a.Records = append(a.Records, proto.LogRecord{Index: rec.Index, Text: string(rec.Text)})
		}
		if n := len(l); n > 0 && l[n-1].Index+1 < a.Size {
			a.Next = l[n-1].Index + 1
		}
		if lie != nil {
			lie(&a, front)
		}
		return proto.CodeOK, a
	}
}

// A client that comes often enough sees one log that grows, whatever is forgotten, and
// an owner compares all that is left.
func TestALogThatForgetsGoesOn(t *testing.T) {
	d, c := forgetful(t)
	for range 12 {
		d.grow(45)
		status(t, c)
		calm(t, c)
	}
	r, err := c.VerifyLog(t.Context())
	if err != nil || !r.Complete || r.Forgot < 256 || r.Entries != 2+12*45 || r.Texts != r.Entries-r.Forgot {
		t.Errorf("VerifyLog = %+v, %v", r, err)
	}
	calm(t, c)
	if _, err := c.ReadLog(t.Context(), 3, Reader{Each: func(proto.LogRecord) error { return nil }}); !errors.Is(err, ErrForgotten) {
		t.Errorf("what was forgotten is read: %v", err)
	}
}

// An entry may come between a page and the checkpoint that is signed with it: then the page
// ends before the checkpoint and names no next one. The rest is asked for, and it is no alarm.
func TestALogThatGrowsWhileItIsRead(t *testing.T) {
	d, c := forgetful(t)
	d.grow(30)
	status(t, c)
	early := true
	d.mu.Lock()
	d.handle = d.wholePages(func(a *proto.LogAnswer, _ accesslog.Front) {
		if a.Next == 0 && early {
			early = false
			a.Size--
			a.Records = a.Records[:len(a.Records)-1]
		}
	})
	d.mu.Unlock()
	r, err := c.VerifyLog(t.Context())
	if err != nil || !r.Complete || r.Entries != 2+30 || early {
		t.Errorf("VerifyLog = %+v, %v; a page was cut short: %v", r, err, !early)
	}
	calm(t, c)
}

// Forgetting hides nothing: a camera that shows other hashes, forgets what it has to
// keep, or doesn't own up to it, is caught.
func TestALogThatForgetsCantLie(t *testing.T) {
	for name, lie := range map[string]func(*proto.LogAnswer, accesslog.Front){
		"another hash": func(a *proto.LogAnswer, f accesslog.Front) {
			if a.Forgot > 0 {
				f.Peaks[0][7] ^= 1
				a.Peaks = f.Encode()
			}
		},
		"a hash less":         func(a *proto.LogAnswer, _ accesslog.Front) { a.Peaks = a.Peaks[:max(len(a.Peaks), 1)-1] },
		"one entry more":      func(a *proto.LogAnswer, _ accesslog.Front) { a.Forgot += min(a.Forgot, 1) },
		"not told":            func(a *proto.LogAnswer, _ accesslog.Front) { a.Forgot, a.Peaks = 0, nil },
		"an entry left out":   func(a *proto.LogAnswer, _ accesslog.Front) { a.Records = a.Records[1:] },
		"a number, no hashes": func(a *proto.LogAnswer, _ accesslog.Front) { a.Peaks = nil },
	} {
		d, c := forgetful(t)
		d.grow(330)
		status(t, c)
		if name == "a hash less" || name == "a number, no hashes" || name == "not told" {
			honest := lie
			lie = func(a *proto.LogAnswer, f accesslog.Front) {
				if a.Forgot > 0 {
					honest(a, f)
				}
			}
		}
		d.mu.Lock()
		d.handle = d.wholePages(lie)
		d.mu.Unlock()
		if _, err := c.VerifyLog(t.Context()); !errors.Is(err, accesslog.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
		if a := c.Alarm(); a == nil || a.Kind != home.AlarmTexts {
			t.Errorf("%s: alarm %+v", name, a)
		}
	}
}

// One hash can't stand for what the camera has to keep.
func TestACameraForgetsNothingNew(t *testing.T) {
	d, c := forgetful(t)
	d.grow(330)
	status(t, c)
	c.kept = 330 // more than this camera keeps
	if _, err := c.VerifyLog(t.Context()); !errors.Is(err, accesslog.ErrProof) || c.Alarm() == nil {
		t.Errorf("VerifyLog: %v", err)
	}
}

// What can't be proved any more is an alarm, which says whether being away may be why;
// acknowledged, the log goes on.
func TestAwayForLongerThanTheCameraRemembers(t *testing.T) {
	for grown, want := range map[int]string{40: "", 400: home.AlarmAway} {
		d, c := forgetful(t)
		d.grow(10)
		status(t, c)
		d.grow(grown)
		status(t, c)
		if a := c.Alarm(); (a == nil) != (want == "") || a != nil && a.Kind != want {
			t.Errorf("away for %d entries: %+v", grown, a)
		}
		if want == "" {
			continue
		}
		if _, err := d.home.Acknowledge(c.record); err != nil {
			t.Fatal(err)
		}
		d.grow(10)
		status(t, c)
		calm(t, c)
	}
	// The camera keeps what it says it lacks, or is another one.
	d, c := forgetful(t)
	d.grow(10)
	status(t, c)
	d.grow(40)
	d.mu.Lock()
	d.tamper = func(_ proto.Request, a *proto.Answer) { a.Proof = nil }
	d.mu.Unlock()
	status(t, c)
	if a := c.Alarm(); a == nil || a.Kind != home.AlarmProof {
		t.Errorf("alarm %+v", a)
	}
}

// The storage of before it forgot, put back, is caught like any other.
func TestAForgetfulLogThatWasPutBack(t *testing.T) {
	d, c := forgetful(t)
	d.grow(200)
	d.mu.Lock()
	before := d.log
	d.log = must(accesslog.OpenKeeping(d.store(), 1, accesslog.Origin(d.id, 1), d.logKey, keptHere))
	d.fill(500)
	d.mu.Unlock()
	status(t, c)
	calm(t, c)
	d.mu.Lock()
	d.log = before
	d.mu.Unlock()
	status(t, c)
	if a := c.Alarm(); a == nil || a.Kind != home.AlarmRollback {
		t.Errorf("alarm %+v", a)
	}
}
