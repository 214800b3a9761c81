package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// alarmVersion is the format of an alarm's file.
const alarmVersion = 1

// What a camera's access log can be caught at.
const (
	alarmRollback   = "rollback"   // shorter than it was
	alarmFork       = "fork"       // of the same length, and different
	alarmProof      = "proof"      // it does not prove that it continues what it was
	alarmCheckpoint = "checkpoint" // an answer without a checkpoint, or one that is not this log's
	alarmEntry      = "entry"      // what was done is not in the log as it was asked for
	alarmTexts      = "texts"      // the entries that it sends are not those that it signed
	alarmAway       = "away"       // like proof, of a log that grew by more than a camera can prove
)

// Alarm is what a client keeps when a camera's answer contradicts what its access
// log was before. It stays until somebody acknowledges it. docs/protocol.md 6.8.
type Alarm struct {
	Version int      `json:"version"`
	Kind    string   `json:"kind"`
	Have    string   `json:"have"` // the signed checkpoint that was verified last; empty: none
	Got     string   `json:"got"`  // what the camera sent instead; empty: nothing
	Op      proto.Op `json:"op"`   // of the request
	At      int64    `json:"at"`   // Unix seconds by this computer's clock
	Told    bool     `json:"told"` // the camera passed it on to the other members
}

var alarmSentences = map[string]string{
	alarmRollback:   "shows an access log that is shorter than it was: entries are gone, or its storage was put back to an earlier state",
	alarmFork:       "shows an access log that contradicts the one that it showed before: entries were changed",
	alarmProof:      "does not prove that its access log continues the one that it showed before: entries may have been changed",
	alarmCheckpoint: "sent an answer without the signed state of its access log, or with one that is not its own",
	alarmEntry:      "did something without entering it into its access log as it was asked for",
	alarmAway: "can't prove that its access log continues the one that it showed before: you were away for so long that it keeps " +
		"no hashes of that time any more",
	alarmTexts: "sent entries of its access log that are not those that it signed",
}

// Sentence says what was seen, and what to do.
func (a Alarm) Sentence(title string) string {
	what, ok := alarmSentences[a.Kind]
	if !ok {
		what = "contradicts its access log"
	}
	return fmt.Sprintf("Alarm: the camera %s %s (seen %s). Trust neither its log nor its pictures before you know why: ask the other members, "+
		"and have someone at the camera run camd log. camctl log --acknowledge then ends the alarm.", title, what, time.Unix(a.At, 0).Format(time.DateTime))
}

// breach is an answer that failed a check.
type breach struct {
	kind  string
	have  string
	cause error
}

func (b *breach) Error() string { return b.kind + ": " + b.cause.Error() }

func (b *breach) Unwrap() error { return b.cause }

// alarm reads the one that stands, nil if none does.
func (l *ledger) alarm() (*Alarm, error) {
	data, err := l.read(fileAlarm)
	if err != nil || data == nil {
		return nil, err
	}
	return parseAlarm(l.path(fileAlarm), data)
}

func parseAlarm(path string, data []byte) (*Alarm, error) {
	var a Alarm
	if err := parseVersioned(path, data, alarmVersion, &a); err != nil {
		return nil, err
	}
	return &a, nil
}

// raise keeps a and tells whether it is the first: what an alarm was about stays
// as it was seen.
func (l *ledger) raise(a Alarm) (first bool, err error) {
	a.Version = alarmVersion
	err = l.change(func() error {
		data, err := l.read(fileAlarm)
		if err != nil || data != nil {
			return err
		}
		first = true
		return l.writeJSON(fileAlarm, a)
	})
	return first, err
}

// toldAlarm notes that the other members know.
func (l *ledger) toldAlarm() error {
	return l.change(func() error {
		a, err := l.alarm()
		if err != nil || a == nil {
			return err
		}
		a.Told = true
		return l.writeJSON(fileAlarm, a)
	})
}

// acknowledge ends the alarm. What the camera showed is the base of what follows,
// where it was a checkpoint of this log at all; both stay in a file.
func (l *ledger) acknowledge(of logOf) error {
	return l.change(func() error {
		a, err := l.alarm()
		if err != nil || a == nil {
			return err
		}
		if err := l.writeJSON(fileAcknowledged, a); err != nil {
			return err
		}
		if _, err := of.parse(a.Got); err == nil {
			if err := l.write(fileCheckpoint, []byte(a.Got)); err != nil {
				return err
			}
		}
		return errors.Join(l.remove(fileNotice), l.remove(fileAlarm))
	})
}

func (l *ledger) writeJSON(ext string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return l.write(ext, data)
}

// Alarm is what stands against the camera's access log; nil: nothing does.
func (c *Camera) Alarm() *Alarm {
	a, err := c.ledger.alarm()
	if err != nil {
		c.log.Warn("can't read the alarm", "error", err)
	}
	return a
}

// Alarms gets each alarm that is raised from now on.
func (c *Camera) Alarms() <-chan Alarm { return c.alarms }

// Acknowledge ends the alarm about a camera and takes what it showed as the base of
// what follows. It tells whether there was one.
func (h *Home) Acknowledge(r Record) (bool, error) {
	trio, err := r.check()
	if err != nil {
		return false, err
	}
	l := newLedger(h, r.Device)
	a, err := l.alarm()
	if err != nil || a == nil {
		return false, err
	}
	if err := l.acknowledge(logOf{accesslog.Origin(r.Device, r.Epoch), trio.Log}); err != nil {
		return true, problem(err, "The alarm can't be acknowledged: %v.", err)
	}
	return true, nil
}

// raise keeps and announces a breach, and tells the other members of it.
func (c *Camera) raise(ctx context.Context, r proto.Request, got string, b *breach) {
	a := Alarm{Kind: b.kind, Have: b.have, Got: got, Op: r.Op, At: time.Now().Unix()}
	first, err := c.ledger.raise(a)
	if err != nil {
		c.log.Error("can't keep the alarm", "error", err)
	}
	if !first {
		return
	}
	c.log.Error("the camera's access log contradicts itself", "error", b, "have", a.Have, "got", a.Got)
	select {
	case c.alarms <- a:
	default: // nobody reads them, or not yet
	}
	// In a log that was put back notices begin anew, at numbers that were seen before.
	_ = c.do(context.WithoutCancel(ctx), func(s *state) { s.notices.last = cursor{known: true} })
	c.tell(ctx)
}

// tell passes the alarm on to the other members, if it holds two signed states
// that they can compare, and they don't know it yet.
func (c *Camera) tell(ctx context.Context) {
	a := c.Alarm()
	if a == nil || a.Told || a.Have == a.Got || a.Kind == alarmAway { // of that the camera can't tell either
		return
	}
	if _, err := c.logOf.parse(a.Have); err != nil {
		return
	}
	if _, err := c.logOf.parse(a.Got); err != nil {
		return
	}
	body, err := json.Marshal(proto.Alarm{Have: a.Have, Got: a.Got})
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*answerTimeout)
	defer cancel()
	answer, err := c.call(ctx, proto.Request{Op: proto.OpAlarm, ID: randomID(), Body: body, Checkpoint: a.Got})
	if err == nil && answer.Code != proto.CodeOK {
		err = &Refused{Code: answer.Code}
	}
	if err == nil {
		err = c.ledger.toldAlarm()
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		c.log.Warn("the other members could not be told of the alarm", "error", err)
	}
}
