package auth

import (
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// notice is an entry of the log on its way to a member.
type notice struct {
	index, previous uint64
	text            string
}

// notices keeps what each member has not been sent yet. It keeps no texts, since the log has
// them: so nothing that waits is lost, however much it is and however long it waits, and a
// restart of camd loses only what a delivery holds. It is safe for concurrent use.
// docs/protocol.md 4.8.
type notices struct {
	members *members
	policy  *policy
	wake    chan struct{} // holds one: there may be something to send

	mu         sync.Mutex
	deliveries map[proto.ClientID]*delivery
	retry      time.Time // nothing is tried before
}

// delivery is how far the notices to one member have come.
type delivery struct {
	member   *member // as it was last
	last     uint64  // entry of the last notice that was delivered; the next one names it
	known    bool    // false: last is unknown, and the next notice names none before it
	newest   uint64  // entry of the newest notice for this member, delivered or not
	owed     []span  // entries since the last one
	sent     uint64  // entry of the notice that is in flight: sent, and not acknowledged
	inFlight bool
	pushed   uint64 // entry of the newest notice that was pushed; sendNotices alone uses it
}

// span is the entries from from up to but not including to. During all of them the member's
// right was suspended, or during none.
type span struct {
	from, to  uint64
	suspended bool
}

// maxSpans bounds the times that a member's right began or ended while nothing could be
// sent. Older ones are lost, which shows to it as a gap.
const maxSpans = 64

// newNotices begins with the current members. noticed is the newest entry that has a notice,
// told one up to which all notices had been delivered. After a restart, members who may always
// read the whole log get what was not delivered. For others it is unknown what they should
// have got, and for those whose right was perhaps suspended also which notice was the last.
func newNotices(ms *members, p *policy, noticed, told uint64) *notices {
	t := &notices{members: ms, policy: p, wake: make(chan struct{}, 1), deliveries: map[proto.ClientID]*delivery{}}
	for id, m := range ms.current.Load().members {
		w := &delivery{member: m}
		if !p.intermittent(m) {
			w.last, w.newest, w.known = noticed, noticed, true
		}
		if w.known && m.holds(auditScope) && told < noticed {
			w.last, w.owed = told, []span{{from: told + 1, to: noticed + 1}}
		}
		t.deliveries[id] = w
	}
	return t
}

// intermittent reports whether m's right is suspended now, or depends on the time.
func (p *policy) intermittent(m *member) bool {
	parent := p.members.get(m.Parent)
	return m.timed() || parent != nil && parent.timed() || p.standing(m) != proto.CodeOK
}

// of returns the delivery to a member. For a new member it begins after noticed, the newest
// entry that has a notice.
func (t *notices) of(m *member, noticed uint64) *delivery {
	w := t.deliveries[m.id]
	if w == nil {
		w = &delivery{last: noticed, newest: noticed, known: true}
		t.deliveries[m.id] = w
	}
	w.member = m
	return w
}

// add adds an entry that was just appended to what all members are owed; noticed is the one
// before. Whether a member's right is suspended is decided now.
func (t *notices) add(index, noticed uint64, e accesslog.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.members.current.Load().members {
		code := t.policy.standing(m)
		w := t.of(m, noticed)
		if code == proto.CodeRevoked {
			continue
		}
		w.owe(index, noticed, code != proto.CodeOK)
		if code == proto.CodeOK || visibleTo(m, e) {
			w.newest = index
		}
	}
	t.wakeUp()
}

// owe adds an entry; noticed is the one before. Entries between two memberships are left out.
func (w *delivery) owe(index, noticed uint64, suspended bool) {
	if n := len(w.owed); n > 0 && w.owed[n-1].suspended == suspended && w.owed[n-1].to == noticed+1 {
		w.owed[n-1].to = index + 1
		return
	}
	w.owed = append(w.owed, span{index, index + 1, suspended})
	if len(w.owed) > maxSpans {
		w.last, w.known = w.owed[0].to-1, true
		w.owed = w.owed[1:]
	}
}

// visibleTo reports whether the operation log shows an entry to m while its right is in force.
func visibleTo(m *member, e accesslog.Entry) bool {
	return m.holds(auditScope) || e.Client == m.id || e.Subject == m.id
}

// newestFor returns the newest notice for m, as an answer names it: never one that m does not get.
func (t *notices) newestFor(m *member, noticed uint64) uint64 {
	code := t.policy.standing(m)
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.of(m, noticed)
	if code != proto.CodeOK {
		return w.last
	}
	return max(w.last, w.newest)
}

// deliveredTo returns an entry up to which notices have been delivered to every member that
// will be sent what it missed.
func (t *notices) deliveredTo(noticed uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.deliveries {
		if len(w.owed) > 0 && w.member.holds(auditScope) && !t.policy.intermittent(w.member) {
			noticed = min(noticed, w.last)
		}
	}
	return noticed
}

func (t *notices) wakeUp() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// online tries again at once what failed.
func (t *notices) online() {
	t.mu.Lock()
	t.retry = time.Time{}
	t.mu.Unlock()
	t.wakeUp()
}

// receiver is a member that is owed something.
type receiver struct {
	*delivery
	member *member
}

// waiting lists the receivers. Members that were removed get the notices up to their removal,
// and are forgotten with the former members. If last is set, what is in flight counts as
// acknowledged.
func (t *notices) waiting(last bool) (l []receiver) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.members.current.Load()
	for id, w := range t.deliveries {
		m := all.members[id]
		if m != nil {
			w.member = m
		} else if len(w.owed) == 0 && all.former[id] == nil {
			delete(t.deliveries, id)
			continue
		}
		if w.inFlight && last {
			w.acknowledge()
		}
		if len(w.owed) > 0 && !w.inFlight {
			l = append(l, receiver{w, w.member})
		}
	}
	return l
}

// mayReceive reports whether m may be sent anything now, and whether that is only what was
// before its removal.
func (t *notices) mayReceive(m *member) (now, gone bool) {
	code := proto.CodeRevoked
	if t.members.get(m.id) != nil {
		code = t.policy.standing(m)
	}
	return code == proto.CodeOK || code == proto.CodeRevoked, code == proto.CodeRevoked
}

// retryAfter is how long nothing is tried after the broker has not taken a notice, unless
// there is a new connection.
const retryAfter = 10 * time.Second

// paused reports whether nothing is tried now.
func (t *notices) paused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Before(t.retry)
}

// acknowledged goes on to the next notice, or tries the same one again later.
func (t *notices) acknowledged(w *delivery, n notice, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !w.inFlight || w.sent != n.index: // it was not waited for
	case err != nil:
		w.inFlight, t.retry = false, time.Now().Add(retryAfter)
	default:
		w.acknowledge()
		t.wakeUp()
	}
}

// skipAcknowledgement does not wait for the acknowledgement.
func (t *notices) skipAcknowledgement(w *delivery) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.inFlight {
		w.acknowledge()
	}
}

// acknowledge takes the notice in flight from what is owed.
func (w *delivery) acknowledge() {
	w.inFlight, w.last, w.known = false, w.sent, true
	w.done(w.sent)
}

// done takes all entries up to index from what is owed.
func (w *delivery) done(index uint64) {
	for len(w.owed) > 0 && w.owed[0].to <= index+1 {
		w.owed = w.owed[1:]
	}
	if len(w.owed) > 0 {
		w.owed[0].from = max(w.owed[0].from, index+1)
	}
}

// first returns the first span that is owed.
func (t *notices) first(w *delivery) (span, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(w.owed) == 0 {
		return span{}, false
	}
	return w.owed[0], true
}

// judge makes the notice of a record, which is the first of a span, or goes on after it.
func (t *notices) judge(to receiver, s span, r accesslog.Record, found, gone bool) (notice, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, _ := accesslog.Parse(r.Text) // it was read before
	switch {
	case !found: // in the whole span there is none
		to.done(s.to - 1)
	case r.Text == nil:
		to.last, to.known = r.Index, true
		to.done(r.Index)
	case s.suspended && (gone || !visibleTo(to.member, e)):
		to.done(r.Index)
		if to.newest == r.Index {
			to.newest = to.last
		}
	case to.known:
		return notice{r.Index, to.last, string(r.Text)}, true
	default:
		return notice{r.Index, r.Index, string(r.Text)}, true
	}
	return notice{}, false
}

func (h *householdKeys) sealNotice(n notice, m *member) ([]byte, error) {
	return envelope.SealNotice(proto.Notice{Issuer: h.device, Audience: m.id, Epoch: h.epoch,
		Index: n.index, Previous: n.previous, Entry: n.text}, h.sig, m.key.Enc)
}

// texts remembers what was read last: most members are at the same place.
type texts struct {
	from  uint64
	known bool
	found accesslog.Record // the first from there on
}

// first finds the first entry of a span that has a notice, or whose text was dropped, so
// that nobody knows.
func (x *texts) first(log *accesslog.Log, s span) (accesslog.Record, bool, error) {
	if x.known && x.from == s.from && x.found.Index < s.to {
		return x.found, true, nil
	}
	for from := s.from; from < s.to; {
		l, err := log.Read(from, accesslog.MaxRead)
		if err != nil || len(l) == 0 {
			return accesslog.Record{}, false, err
		}
		if l[0].Index > from { // what was before is forgotten
			return accesslog.Record{Index: min(l[0].Index, s.to) - 1}, true, nil
		}
		for _, r := range l {
			e, err := accesslog.Parse(r.Text)
			if r.Text == nil || err == nil && e.Kind.Noticed() {
				x.from, x.known, x.found = s.from, true, r
				return r, r.Index < s.to, nil
			}
		}
		from = l[len(l)-1].Index + 1
	}
	return accesslog.Record{}, false, nil
}
