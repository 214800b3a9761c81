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
	noticeQueue = 64 // of one listener
	// noticeGrace is how long a notice that an answer told of may still be on its way.
	noticeGrace = 3 * time.Second
	// noticeLead is how far notices may be ahead of what was verified of the log: a number
	// that is made up would hide those that come after.
	noticeLead = 1024
)

// Notice is what the camera tells each member at once. Missed says that others
// before it, or it itself, did not arrive: then Index is all that is known of it, or
// of the last of them. The access log has what was missed. docs/protocol.md 4.8.
type Notice struct {
	Index  uint64
	Entry  accesslog.Entry // zero when this notice did not arrive
	Missed bool
}

// notices is the owner goroutine's.
type notices struct {
	last      home.NoticeCursor
	listeners []*listener
	recent    [noticeQueue]string // entries of the last ones, by index modulo its length
	announced uint64              // the newest one that an answer told of
	grace     *time.Timer         // runs while an announced one is not here
}

type listener struct {
	out     chan Notice
	skipped bool // its queue was full
}

// close ends all listening: no more will come.
func (n *notices) close() {
	for _, l := range n.listeners {
		close(l.out)
	}
	n.listeners = nil
}

// Notices hands over the camera's notices in order, from now on. The channel is
// closed by cancel, by Close, and when the household has ended. What came while nobody listened shows as missed.
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

// LastNotice is the number of the last notice that this home has seen.
func (c *Camera) LastNotice(ctx context.Context) (index uint64, known bool, err error) {
	err = c.do(ctx, func(s *state) { index, known = s.notices.last.Index, s.notices.last.Known })
	return index, known, err
}

// SawNotices says that all up to index were seen another way, such as in the log.
func (c *Camera) SawNotices(ctx context.Context, index uint64) error {
	return c.do(ctx, func(s *state) { c.saw(s, index) })
}

// saw moves on, and writes down where to.
func (c *Camera) saw(s *state, index uint64) {
	if s.notices.last.Known && index < s.notices.last.Index {
		return
	}
	s.notices.last = home.NoticeCursor{Known: true, Index: index}
	if err := c.household.SetNoticeCursor(index); err != nil {
		c.log.Warn("can't keep the number of the last notice", "error", err)
	}
}

var errNotice = errors.New("notice without an entry of the log")

// notice takes one that is new. Without a listener it is as if it never came: no
// person has seen it.
func (c *Camera) notice(s *state, m proto.Notice) error {
	n := &s.notices
	recent := &n.recent[m.Index%noticeQueue]
	switch {
	case len(n.listeners) == 0:
		return nil
	case m.Index >= c.Verified()+noticeLead:
		c.doubt() // if the log is that long, its proof says so, and what was missed
		return errNotice
	case n.last.Known && m.Index <= n.last.Index:
		if *recent != m.Entry { // late, long gone, or of a log that was put back
			c.doubt()
		}
		return nil
	}
	e, err := accesslog.Parse([]byte(m.Entry))
	if err != nil || e.Epoch != m.Epoch {
		return errors.Join(errNotice, err)
	}
	missed := n.last.Known && m.Previous != n.last.Index && m.Previous != m.Index // the last of an epoch names none before
	if m.Index >= c.Verified()+noticeLead/2 {
		c.doubt()
	}
	c.saw(s, m.Index)
	*recent = m.Entry
	n.hand(Notice{Index: m.Index, Entry: e, Missed: missed})
	return nil
}

// doubt has the camera's log compared with what was verified last, though nobody asks
// for anything: now and then, whatever a broker repeats.
func (c *Camera) doubt() {
	if !c.doubting.CompareAndSwap(false, true) {
		return
	}
	c.wg.Go(func() {
		defer c.doubting.Store(false)
		if _, err := c.Call(c.ctx, proto.OpStatus, "", nil); err != nil {
			c.log.Info("the access log can't be compared", "error", err)
		}
		select {
		case <-time.After(noticeGrace):
		case <-c.ctx.Done():
		}
	})
}

// heed takes from an answer, whose log was proved to have so many entries, up to where
// there are notices. What was seen before that request, and is not in the log, is made
// up: then nobody knows how far this home has come. docs/protocol.md 4.8.
func (c *Camera) heed(s *state, seen home.NoticeCursor, noticed, size uint64) {
	if seen.Known && seen.Index >= size && s.notices.last == seen {
		s.notices.last = home.NoticeCursor{}
		if err := c.household.ResetNoticeCursor(); err != nil {
			c.log.Warn("can't forget the number of the last notice", "error", err)
		}
	}
	if noticed < size {
		s.notices.announce(noticed)
	}
}

// announce hears up to where there are notices.
func (n *notices) announce(index uint64) {
	switch {
	case len(n.listeners) == 0 || index == 0:
	case !n.last.Known:
		n.last = home.NoticeCursor{Known: true, Index: index} // the first that this home hears of
	case index > n.last.Index && index > n.announced:
		n.announced = index
		n.grace.Reset(noticeGrace)
	}
}

// overdue says that an announced notice did not come.
func (c *Camera) overdue(s *state) {
	n := &s.notices
	if len(n.listeners) == 0 || n.announced <= n.last.Index {
		return
	}
	c.saw(s, n.announced)
	n.hand(Notice{Index: n.announced, Missed: true})
}

// hand never blocks: what a listener has no room for it gets told as missed.
func (n *notices) hand(m Notice) {
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
