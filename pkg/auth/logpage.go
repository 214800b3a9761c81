package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// OpLog returns the operation log. A member without the scope audit reads what is about
// itself.
func (a *Authority) OpLog() Operation {
	return Query[proto.LogRequest]{Optional: true, Answer: func(_ context.Context, r Request, q proto.LogRequest) (Result, error) {
		var mine func(accesslog.Entry) bool
		if !r.member.holds(auditScope) {
			mine = func(e accesslog.Entry) bool { return e.Client == r.member.id || e.Subject == r.member.id }
		}
		p, err := a.logPage(a.keys.epoch, q.From, mine)
		return Result{Body: p}, err
	}}
}

// LogPage reads the access log for someone at the device, also that of an earlier epoch; 0 is
// the current one.
func (a *Authority) LogPage(epoch, from uint64) (proto.LogAnswer, error) {
	if epoch == 0 {
		epoch = a.keys.epoch
	}
	return a.logPage(epoch, from, nil)
}

// logPage returns a page of the entries for which mine returns true; nil: of all.
func (a *Authority) logPage(epoch, from uint64, mine func(accesslog.Entry) bool) (proto.LogAnswer, error) {
	size, err := a.journal.log.HeadEpoch(epoch)
	if err != nil {
		return proto.LogAnswer{}, err
	}
	p := logPage{LogAnswer: proto.LogAnswer{Records: []proto.LogRecord{}, Size: size}, mine: mine}
	if from >= size {
		return p.LogAnswer, nil
	}
	l, front, err := a.journal.log.ReadFront(epoch, from, accesslog.MaxRead)
	if err != nil {
		return proto.LogAnswer{}, err
	}
	if from < front.Size && mine == nil {
		p.Forgot, p.Peaks = front.Size, front.Encode()
	}
	for _, r := range l {
		if !p.add(r) {
			p.Next = r.Index
			return p.LogAnswer, nil
		}
	}
	if n := len(l); n > 0 && l[n-1].Index+1 < size {
		p.Next = l[n-1].Index + 1 // one page looks at no more entries
	}
	return p.LogAnswer, nil
}

// logPage is a page being filled.
type logPage struct {
	proto.LogAnswer
	mine  func(accesslog.Entry) bool
	bytes int
}

// add adds a record, unless it is left out, and reports whether there was room.
func (p *logPage) add(r accesslog.Record) bool {
	l := proto.LogRecord{Index: r.Index, Text: string(r.Text)}
	if r.Text == nil {
		l.Hash = base64.RawURLEncoding.EncodeToString(r.Hash[:])
	}
	e, err := accesslog.Parse(r.Text)
	if r.Text != nil && err != nil || p.mine != nil && !p.mine(e) { // of a dropped text nothing is known
		return true
	}
	b, err := json.Marshal(l)
	if err != nil || p.bytes+len(b) > maxPage && len(p.Records) > 0 {
		return false
	}
	p.bytes += len(b)
	p.Records = append(p.Records, l)
	return true
}
