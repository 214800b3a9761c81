package client

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// breach is an answer that failed a check.
type breach struct {
	kind  string
	have  string
	cause error
}

func (b *breach) Error() string { return b.kind + ": " + b.cause.Error() }

func (b *breach) Unwrap() error { return b.cause }

// Alarm returns the alarm about the camera's access log, nil if there is none.
func (c *Camera) Alarm() *home.Alarm {
	a, err := c.household.Alarm()
	if err != nil {
		c.log.Warn("can't read the alarm", "error", err)
	}
	return a
}

// Alarms returns the channel on which new alarms are sent.
func (c *Camera) Alarms() <-chan home.Alarm { return c.alarms }

// raise keeps an alarm about a breach, sends it to Alarms, and has the camera pass it on
// to the other members.
func (c *Camera) raise(ctx context.Context, r proto.Request, got string, b *breach) {
	a := home.Alarm{Kind: b.kind, Have: b.have, Got: got, Op: r.Op, At: time.Now().Unix()}
	first, err := c.household.RaiseAlarm(a)
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
	// In a log that was put back, notices begin again at numbers that were seen before.
	_ = c.do(context.WithoutCancel(ctx), func(s *state) { s.notices.last = home.NoticeCursor{Known: true} })
	c.shareAlarm(ctx)
}

// shareAlarm has the camera pass the alarm on to the other members, if it holds two
// signed states that they can compare, and they don't know it yet.
func (c *Camera) shareAlarm(ctx context.Context) {
	a := c.Alarm()
	if a == nil || a.Told || a.Have == a.Got || a.Kind == home.AlarmAway { // the camera can't prove that to them either
		return
	}
	if _, err := c.household.ParseCheckpoint(a.Have); err != nil {
		return
	}
	if _, err := c.household.ParseCheckpoint(a.Got); err != nil {
		return
	}
	body, err := json.Marshal(proto.Alarm{Have: a.Have, Got: a.Got})
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*answerTimeout)
	defer cancel()
	answer, err := c.request(ctx, proto.Request{Op: proto.OpAlarm, ID: randomID(), Body: body, Checkpoint: a.Got})
	if err == nil && answer.Code != proto.CodeOK {
		err = &Refused{Code: answer.Code}
	}
	if err == nil {
		err = c.household.SetAlarmTold()
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		c.log.Warn("the other members could not be told of the alarm", "error", err)
	}
}
