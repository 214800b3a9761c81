package auth

import (
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Online sends the notices that wait, and the final notices of the epoch before. It is called
// when the broker was reached.
func (g *Gate) Online() {
	if err := g.sendFinalNotices(); err != nil {
		g.log.Warn("not all final notices of the epoch before were sent", "error", err)
	}
	g.notices.online()
}

func (g *Gate) sendFinalNotices() error {
	var l []finalNotice
	err := g.authority.trust.View(func(tx *store.Tx) error {
		return finalNotices.ForEach(tx, "", func(key string, value []byte) error {
			l = append(l, finalNotice{proto.ClientID(key), value})
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, f := range l {
		err := g.sender.Notify(f.To, f.Message, func(err error) {
			if err == nil { // the broker has it
				err = g.authority.trust.Update(func(tx *store.Tx) error { return finalNotices.Delete(tx, string(f.To)) })
			}
			if err != nil { // it is sent again the next time
				g.log.Debug("final notice not sent", "client", string(f.To), "error", err)
			}
		})
		if err != nil {
			return fmt.Errorf("send a final notice: %w", err) // it stays for the next time
		}
	}
	return nil
}

// sendNotices sends notices until stop is closed, and then what still waits.
func (g *Gate) sendNotices(stop <-chan struct{}) {
	for {
		select {
		case <-g.notices.wake:
			g.sendAll(false)
		case <-stop:
			g.sendAll(true)
			return
		}
	}
}

// sendAll sends each member its next notice. The one after it follows when the broker has
// acknowledged it, so that they come in order; if last is set, at once.
func (g *Gate) sendAll(last bool) {
	var texts texts
	for _, to := range g.notices.waiting(last) {
		if g.notices.paused() && !last {
			return
		}
		for g.sendNext(to, &texts) && last {
			g.notices.skipAcknowledgement(to.delivery)
		}
	}
}

// sendNext sends one notice, and reports whether it did.
func (g *Gate) sendNext(to receiver, texts *texts) bool {
	t := g.notices
	n, ok := g.next(to, texts)
	if !ok {
		return false
	}
	msg, err := g.keys.sealNotice(n, to.member)
	if err == nil {
		t.mu.Lock()
		to.sent, to.inFlight = n.index, true
		t.mu.Unlock()
		err = g.sender.Notify(to.member.id, msg, func(err error) { t.acknowledged(to.delivery, n, err) })
	}
	if err == nil {
		g.push(to, n, msg)
	} else {
		t.acknowledged(to.delivery, n, err)
		g.log.Debug("notice not sent", "client", string(to.member.id), "index", n.index, "error", err)
	}
	return err == nil
}

// next finds the first notice that a member gets now. An entry that it does not get is left
// out without a gap. An entry that the log has dropped is a gap.
func (g *Gate) next(to receiver, texts *texts) (n notice, ok bool) {
	t := g.notices
	now, gone := t.mayReceive(to.member)
	for now {
		s, more := t.first(to.delivery)
		if !more {
			break
		}
		r, found, err := texts.first(g.authority.journal.log, s)
		if err != nil {
			g.log.Warn("entries for notices can't be read", "error", err)
			break
		}
		if n, ok = t.judge(to, s, r, found, gone); ok {
			break
		}
	}
	return n, ok
}
