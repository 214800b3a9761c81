package client

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	// noticeGrace is how long a notice that an answer named may still be on its way.
	noticeGrace = 3 * time.Second
	// noticeLead is how far notices may be ahead of the verified log. A number that is made
	// up would hide the notices that come after.
	noticeLead = 1024
)

// Notices returns a channel of the camera's notices in order, from now on, and a function
// that ends it. The channel is closed by that function, by Close, and when the household
// has ended. Notices that came while nobody listened count as missed.
func (c *Camera) Notices(ctx context.Context) (<-chan Notice, func(), error) {
	l := &listener{out: make(chan Notice, noticeQueue)}
	if err := c.do(ctx, func(s *state) { s.notices.listeners = append(s.notices.listeners, l) }); err != nil {
		return nil, nil, err
	}
	cancel := func() {
		_ = c.do(context.WithoutCancel(ctx), func(s *state) {
			if i := slices.Index(s.notices.listeners, l); i >= 0 {
				s.notices.listeners = slices.Delete(s.notices.listeners, i, i+1)
				close(l.out)
			}
		})
	}
	return l.out, cancel, nil
}

// LastNotice returns the number of the last notice that this home has seen.
func (c *Camera) LastNotice(ctx context.Context) (index uint64, known bool, err error) {
	err = c.do(ctx, func(s *state) { index, known = s.notices.last.Index, s.notices.last.Known })
	return index, known, err
}

// SawNotices marks all notices up to index as seen, for example because the log was read.
func (c *Camera) SawNotices(ctx context.Context, index uint64) error {
	return c.do(ctx, func(s *state) { c.advanceCursor(s, index) })
}

// advanceCursor moves the cursor to index, and keeps it.
func (c *Camera) advanceCursor(s *state, index uint64) {
	if s.notices.last.Known && index < s.notices.last.Index {
		return
	}
	s.notices.last = home.NoticeCursor{Known: true, Index: index}
	if err := c.household.SetNoticeCursor(index); err != nil {
		c.log.Warn("can't keep the number of the last notice", "error", err)
	}
}

var errNotice = errors.New("notice without an entry of the log")

// notice delivers m to the listeners if it is new. Without a listener it counts as
// missed: no person has seen it. checkLog reports whether m is a reason to verify the log.
func (c *Camera) notice(s *state, m proto.Notice) (checkLog bool, err error) {
	n := &s.notices
	recent := &n.recent[m.Index%noticeQueue]
	switch {
	case len(n.listeners) == 0:
		return false, nil
	case m.Index >= c.Verified()+noticeLead:
		return true, errNotice // if the log is that long, its proof says so, and what was missed
	case n.last.Known && m.Index <= n.last.Index:
		return *recent != m.Entry, nil // late, long past, or of a log that was rolled back
	}
	e, err := accesslog.Parse([]byte(m.Entry))
	if err != nil || e.Epoch != m.Epoch {
		return false, errors.Join(errNotice, err)
	}
	verified := c.Verified()
	missed := n.last.Known && m.Previous != n.last.Index && m.Previous != m.Index // the last of an epoch names none before
	c.advanceCursor(s, m.Index)
	*recent = m.Entry
	n.deliver(Notice{Index: m.Index, Entry: e, Missed: missed})
	return m.Index >= verified+noticeLead/2, nil
}

// noticedUpTo takes the number of the newest notice from an answer whose log has size
// entries, as was proved. If the cursor of before the request is not in that log, its
// number was made up, and the cursor is reset. docs/protocol.md 4.8.
func (c *Camera) noticedUpTo(s *state, seen home.NoticeCursor, noticed, size uint64) {
	if seen.Known && seen.Index >= size && s.notices.last == seen {
		s.notices.last = home.NoticeCursor{}
		if err := c.household.ResetNoticeCursor(); err != nil {
			c.log.Warn("can't forget the number of the last notice", "error", err)
		}
	}
	n := &s.notices
	if noticed < size {
		switch {
		case len(n.listeners) == 0 || noticed == 0:
		case !n.last.Known:
			n.last = home.NoticeCursor{Known: true, Index: noticed} // the first one for this home
		case noticed > n.last.Index && noticed > n.announced:
			n.announced = noticed
			n.grace.Reset(noticeGrace)
		}
	}
}

// overdue reports an announced notice that did not come to the listeners.
func (c *Camera) overdue(s *state) {
	n := &s.notices
	if len(n.listeners) == 0 || n.announced <= n.last.Index {
		return
	}
	c.advanceCursor(s, n.announced)
	n.deliver(Notice{Index: n.announced, Missed: true})
}

// deliver never blocks: a listener whose queue is full finds Missed set in its next notice.
func (n *notices) deliver(m Notice) {
	for _, l := range n.listeners {
		mine := m
		mine.Missed = m.Missed || l.skipped
		select {
		case l.out <- mine:
			l.skipped = false
		default:
			l.skipped = true
		}
	}
}

// close closes the channels of all listeners.
func (n *notices) close() {
	for _, l := range n.listeners {
		close(l.out)
	}
	n.listeners = nil
}
