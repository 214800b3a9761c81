package auth

import (
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// notice is an entry that a member is told of.
type notice struct {
	index, previous uint64
	text            string
}

// teller knows of each member what it is still to be told. It keeps no texts: the log
// has them. So nothing is lost that waits, however much and long, and a restart of camd
// loses only what told says. docs/protocol.md 4.8.
type teller struct {
	members *members
	policy  *policy
	wake    chan struct{} // holds one: there may be something to send

	mu    sync.Mutex
	told  map[proto.ClientID]*told
	retry time.Time // nothing is tried before
}

// told is how far a member has come.
type told struct {
	member *member // as it was last
	last   uint64  // entry of the last notice that it was handed; what the next one names
	known  bool    // else nobody knows, and the next one names none before
	newest uint64  // entry of the newest notice that is for it, handed or not
	owed   []span  // what was noticed since the last one
	flight uint64  // entry of the notice that was handed over and is not acknowledged
	flying bool
}

// span is entries, from and to and not to itself, during which a member's right rested,
// or did not.
type span struct {
	from, to uint64
	rested   bool
}

// maxSpans bounds the times that a member's right began or ended while nothing could be
// sent. Older ones are lost, which shows to it as a gap.
const maxSpans = 64

// newTeller begins with the members of now. noticed is the newest entry that has a
// notice, toldTo one up to which everyone had been handed theirs. Whoever may read the
// whole log at any time is sent what is between. Of the others it is not known what they
// were to be told: where they may have rested not even which was their last.
func newTeller(ms *members, p *policy, noticed, toldTo uint64) *teller {
	t := &teller{members: ms, policy: p, wake: make(chan struct{}, 1), told: map[proto.ClientID]*told{}}
	for id, m := range ms.current.Load().members {
		w := &told{member: m}
		if !p.mayRest(m) {
			w.last, w.newest, w.known = noticed, noticed, true
		}
		if w.known && m.holds(auditScope) && toldTo < noticed {
			w.last, w.owed = toldTo, []span{{from: toldTo + 1, to: noticed + 1}}
		}
		t.told[id] = w
	}
	return t
}

// mayRest reports whether m's right rests now, or comes and goes with the time.
func (p *policy) mayRest(m *member) bool {
	parent := p.members.get(m.Parent)
	return m.timed() || parent != nil && parent.timed() || p.standing(m) != proto.CodeOK
}

// of finds how far a member has come. One who was not there before begins now: noticed is
// the newest entry that the others were told of.
func (t *teller) of(m *member, noticed uint64) *told {
	w := t.told[m.id]
	if w == nil {
		w = &told{last: noticed, newest: noticed, known: true}
		t.told[m.id] = w
	}
	w.member = m
	return w
}

// note owes everyone a notice of an entry that was just appended; noticed is the one
// before. Whether someone's right rests is decided now.
func (t *teller) note(index, noticed uint64, e accesslog.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.members.current.Load().members {
		code := t.policy.standing(m)
		w := t.of(m, noticed)
		if code == proto.CodeRevoked {
			continue
		}
		w.owe(index, noticed, code != proto.CodeOK)
		if code == proto.CodeOK || shows(m, e) {
			w.newest = index
		}
	}
	t.poke()
}

// owe adds an entry; noticed is the one before. Between two memberships nothing is owed.
func (w *told) owe(index, noticed uint64, rested bool) {
	if n := len(w.owed); n > 0 && w.owed[n-1].rested == rested && w.owed[n-1].to == noticed+1 {
		w.owed[n-1].to = index + 1
		return
	}
	w.owed = append(w.owed, span{index, index + 1, rested})
	if len(w.owed) > maxSpans {
		w.last, w.known = w.owed[0].to-1, true
		w.owed = w.owed[1:]
	}
}

// shows reports whether log shows an entry to m, once its right is in force.
func shows(m *member, e accesslog.Entry) bool {
	return m.holds(auditScope) || e.Client == m.id || e.Subject == m.id
}

// noteOf is what an answer to m says of the notices: never more than m gets.
func (t *teller) noteOf(m *member, noticed uint64) uint64 {
	code := t.policy.standing(m)
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.of(m, noticed)
	if code != proto.CodeOK {
		return w.last
	}
	return max(w.last, w.newest)
}

// toldTo is an entry up to which everyone who is sent what it missed has been handed its
// notices.
func (t *teller) toldTo(noticed uint64) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.told {
		if len(w.owed) > 0 && w.member.holds(auditScope) && !t.policy.mayRest(w.member) {
			noticed = min(noticed, w.last)
		}
	}
	return noticed
}

func (t *teller) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// online has what failed tried again at once.
func (t *teller) online() {
	t.mu.Lock()
	t.retry = time.Time{}
	t.mu.Unlock()
	t.poke()
}

// receiver is a member to whom something is to be sent.
type receiver struct {
	*told
	member *member
}

// waiting lists them. Those who were removed are told of that, and of what was before;
// then they are forgotten with the former members. At the last nobody waits for what is
// on its way.
func (t *teller) waiting(last bool) (l []receiver) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.members.current.Load()
	for id, w := range t.told {
		m := all.members[id]
		if m != nil {
			w.member = m
		} else if len(w.owed) == 0 && all.former[id] == nil {
			delete(t.told, id)
			continue
		}
		if w.flying && last {
			w.landed()
		}
		if len(w.owed) > 0 && !w.flying {
			l = append(l, receiver{w, w.member})
		}
	}
	return l
}

// mayHear reports whether m may be told of anything now, and whether that is only what
// was before its removal.
func (t *teller) mayHear(m *member) (now, gone bool) {
	code := proto.CodeRevoked
	if t.members.get(m.id) != nil {
		code = t.policy.standing(m)
	}
	return code == proto.CodeOK || code == proto.CodeRevoked, code == proto.CodeRevoked
}

// retryAfter is how long nothing is tried after the broker has not taken a notice, unless
// there is a new connection.
const retryAfter = 10 * time.Second

// sendNotices seals notices for whom they are for, until stop is closed and what waits
// is sent.
func (g *Gate) sendNotices(stop <-chan struct{}) {
	for {
		select {
		case <-g.teller().wake:
			g.tellAll(false)
		case <-stop:
			g.tellAll(true)
			return
		}
	}
}

func (g *Gate) teller() *teller { return g.authority.journal.teller }

// tellAll sends each member the next notice. Another one follows when the broker has
// acknowledged it, so that they come in order; at the last nobody waits for that.
func (g *Gate) tellAll(last bool) {
	t := g.teller()
	var texts texts
	for _, to := range t.waiting(last) {
		if t.paused() && !last {
			return
		}
		for g.tell(to, &texts) && last {
			t.settle(to.told)
		}
	}
}

// paused reports whether nothing is tried now.
func (t *teller) paused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Before(t.retry)
}

// tell sends one notice, and reports whether it did.
func (g *Gate) tell(to receiver, texts *texts) bool {
	t := g.teller()
	n, ok := g.next(to, texts)
	if !ok {
		return false
	}
	msg, err := g.household.sealNotice(n, to.member)
	if err == nil {
		t.take(to.told, n)
		err = g.sender.Notify(to.member.id, msg, func(err error) { t.acknowledged(to.told, n, err) })
	}
	if err != nil {
		t.acknowledged(to.told, n, err)
		g.log.Debug("notice not sent", "client", string(to.member.id), "index", n.index, "error", err)
	}
	return err == nil
}

func (t *teller) take(w *told, n notice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.flight, w.flying = n.index, true
}

// acknowledged goes on after a notice, or has it tried again later.
func (t *teller) acknowledged(w *told, n notice, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !w.flying || w.flight != n.index: // it was not waited for
	case err != nil:
		w.flying, t.retry = false, time.Now().Add(retryAfter)
	default:
		w.landed()
		t.poke()
	}
}

// settle waits for no acknowledgement.
func (t *teller) settle(w *told) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.flying {
		w.landed()
	}
}

// landed moves on to behind the notice that was on its way.
func (w *told) landed() {
	w.flying, w.last, w.known = false, w.flight, true
	w.done(w.flight)
}

// done takes all up to an entry from what is owed.
func (w *told) done(index uint64) {
	for len(w.owed) > 0 && w.owed[0].to <= index+1 {
		w.owed = w.owed[1:]
	}
	if len(w.owed) > 0 {
		w.owed[0].from = max(w.owed[0].from, index+1)
	}
}

// next finds the first notice that a member is to get now. What it is not to get is
// passed over without a gap. What the log has dropped is a gap.
func (g *Gate) next(to receiver, texts *texts) (n notice, ok bool) {
	t := g.teller()
	now, gone := t.mayHear(to.member)
	for now {
		s, more := t.first(to.told)
		if !more {
			break
		}
		r, found, err := texts.first(g.authority.journal.log, s)
		if err != nil {
			g.log.Warn("what is to be told can't be read", "error", err)
			break
		}
		if n, ok = t.judge(to, s, r, found, gone); ok {
			break
		}
	}
	return n, ok
}

func (t *teller) first(w *told) (span, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(w.owed) == 0 {
		return span{}, false
	}
	return w.owed[0], true
}

// judge makes the notice of a record, the first of a span, or goes on behind it.
func (t *teller) judge(to receiver, s span, r accesslog.Record, found, gone bool) (notice, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, _ := accesslog.Parse(r.Text) // it was read before
	switch {
	case !found: // in the whole span there is none
		to.done(s.to - 1)
	case r.Text == nil:
		to.last, to.known = r.Index, true
		to.done(r.Index)
	case s.rested && (gone || !shows(to.member, e)):
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

func (h *household) sealNotice(n notice, m *member) ([]byte, error) {
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
