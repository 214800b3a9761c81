package auth

import (
	"log/slog"
	"sync"
	"sync/atomic"
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

// notices keeps what each member has not been sent yet, and sends it. It keeps no texts, since
// the log has them: so nothing that waits is lost, however much it is and however long it
// waits, and a restart of camd loses only what a delivery holds. It is safe for concurrent use.
// docs/protocol.md 4.8.
type notices struct {
	members *members
	policy  *policy
	keys    *householdKeys
	log     *accesslog.Log
	slog    *slog.Logger
	noticed atomic.Uint64 // index of the newest entry that has a notice
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
	pushed   uint64 // entry of the newest notice that was pushed; run alone uses it
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

// load begins with the current members, and with what the log has stored. After a restart,
// members who may always read the whole log get what was not delivered. For others it is
// unknown what they should have got, and for those whose right was perhaps suspended also
// which notice was the last.
func (t *notices) load() error {
	noticed, told, err := t.log.Noticed()
	if err != nil {
		return err
	}
	t.noticed.Store(noticed)
	t.wake, t.deliveries = make(chan struct{}, 1), map[proto.ClientID]*delivery{}
	for id, m := range t.members.current.Load().members {
		w := &delivery{member: m}
		if !t.policy.intermittent(m) {
			w.last, w.newest, w.known = noticed, noticed, true
		}
		if w.known && m.holds(auditScope) && told < noticed {
			w.last, w.owed = told, []span{{from: told + 1, to: noticed + 1}}
		}
		t.deliveries[id] = w
	}
	return nil
}

// intermittent reports whether m's right is suspended now, or depends on the time.
func (p *policy) intermittent(m *member) bool {
	parent := p.members.get(m.Parent)
	return m.timed() || parent != nil && parent.timed() || p.standing(m) != proto.CodeOK
}

// of returns the delivery to a member. For a new member it begins after the newest entry that
// has a notice. t.mu is held.
func (t *notices) of(m *member) *delivery {
	w := t.deliveries[m.id]
	if w == nil {
		noticed := t.noticed.Load()
		w = &delivery{last: noticed, newest: noticed, known: true}
		t.deliveries[m.id] = w
	}
	w.member = m
	return w
}

// add adds an entry that was just appended to what all members are owed. Whether a member's
// right is suspended is decided now.
func (t *notices) add(index uint64, e accesslog.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.noticed.Load()
	for _, m := range t.members.current.Load().members {
		code := t.policy.standing(m)
		w := t.of(m)
		if code == proto.CodeRevoked {
			continue
		}
		w.owe(index, before, code != proto.CodeOK)
		if code == proto.CodeOK || visibleTo(m, e) {
			w.newest = index
		}
	}
	t.noticed.Store(index)
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
func (t *notices) newestFor(m *member) uint64 {
	code := t.policy.standing(m)
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.of(m)
	if code != proto.CodeOK {
		return w.last
	}
	return max(w.last, w.newest)
}

// deliveredTo returns an entry up to which notices have been delivered to every member that
// will be sent what it missed.
func (t *notices) deliveredTo() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	noticed := t.noticed.Load()
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

// retryNow tries again at once what failed.
func (t *notices) retryNow() {
	t.mu.Lock()
	t.retry = time.Time{}
	t.mu.Unlock()
	t.wakeUp()
}

// run sends each member its next notice whenever there is one, until stop is closed, and then
// all that still waits. The notice after it follows when the broker has acknowledged it, so
// that they come in order; at the end, at once.
func (t *notices) run(stop <-chan struct{}, sender Sender, pusher Pusher) {
	for last := false; !last; {
		select {
		case <-t.wake:
		case <-stop:
			last = true
		}
		var texts texts
		for _, to := range t.waiting(last) {
			for t.sendNext(to, &texts, sender, pusher, last) && last {
			}
		}
	}
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

// sendNext sends one notice, and reports whether it did.
func (t *notices) sendNext(to receiver, texts *texts, sender Sender, pusher Pusher, last bool) bool {
	n, ok := t.next(to, texts, last)
	if !ok {
		return false
	}
	msg, err := t.keys.sealNotice(n, to.member)
	if err == nil {
		t.mu.Lock()
		to.sent, to.inFlight = n.index, true
		t.mu.Unlock()
		err = sender.Notify(to.member.id, msg, func(err error) { t.acknowledged(to.delivery, n, err) })
	}
	if err == nil {
		t.push(pusher, to, n, msg)
	} else {
		t.slog.Debug("notice not sent", "client", string(to.member.id), "index", n.index, "error", err)
	}
	if err != nil || last {
		t.acknowledged(to.delivery, n, err)
	}
	return err == nil
}

// next finds the first notice that a member gets now. An entry that it does not get is left
// out without a gap. An entry that the log has dropped is a gap.
func (t *notices) next(to receiver, texts *texts, last bool) (n notice, ok bool) {
	code := proto.CodeRevoked // it gets what was before its removal
	if t.members.get(to.member.id) != nil {
		code = t.policy.standing(to.member)
	}
	if code != proto.CodeOK && code != proto.CodeRevoked {
		return notice{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for !ok && len(to.owed) > 0 && (last || !time.Now().Before(t.retry)) {
		s := to.owed[0]
		t.mu.Unlock() // nobody waits while the log is read
		r, found, err := texts.first(t.log, s)
		t.mu.Lock()
		if err != nil {
			t.slog.Warn("entries for notices can't be read", "error", err)
			break
		}
		n, ok = to.judge(s, r, found, code == proto.CodeRevoked)
	}
	return n, ok
}

// retryAfter is how long nothing is tried after the broker has not taken a notice, unless
// there is a new connection.
const retryAfter = 10 * time.Second

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

// judge makes the notice of a record, which is the first of a span, or goes on after it.
// notices.mu is held.
func (to receiver) judge(s span, r accesslog.Record, found, gone bool) (notice, bool) {
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
