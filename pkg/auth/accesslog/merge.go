package accesslog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

const (
	// short is below what a session counts as short.
	short = 10 * time.Second
	// keepShort is how many short sessions of a member stay as they are.
	keepShort = 64
	// tooMany short sessions of a member are merged. It is above keepShort, so that
	// an honest member's glances don't make an entry each.
	tooMany = 2 * keepShort
)

// who did something over and over.
type who struct {
	client proto.ClientID
	op     proto.Op
}

// session is a live session, a talk or a picture whose beginning and end both have their texts.
type session struct {
	begin, end  uint64 // entries
	from, until int64  // Unix milliseconds
	name        string
	scopes      []proto.Scope
}

// Merge makes sure that a member can't push out the others' texts by many short
// sessions. Of each member with tooMany of them among the newest entries all but the
// newest keepShort are dropped, texts only, and one entry of KindMerged says so. It
// returns how many sessions that were. What one call does is bounded, so it is
// called hourly: a member can begin 360 in the first hour and 240 in each other.
func (l *Log) Merge() (sessions int, err error) {
	found, err := l.shortSessions()
	if err != nil {
		return 0, err
	}
	busy := make([]who, 0, len(found))
	for w, list := range found {
		if len(list) >= tooMany {
			busy = append(busy, w)
		}
	}
	if len(busy) == 0 { // nothing is written
		return 0, nil
	}
	slices.SortFunc(busy, func(a, b who) int { return cmp.Compare(found[a][0].begin, found[b][0].begin) })
	err = l.db.Update(func(tx *store.Tx) error {
		sessions = 0
		for _, w := range busy {
			list := found[w]
			n, err := l.merge(tx, w, list[:len(list)-keepShort])
			if err != nil {
				return err
			}
			sessions += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("merge entries of the access log: %w", err)
	}
	return sessions, nil
}

// shortSessions are those among the newest entries, by member and operation,
// in the order of their ends.
func (l *Log) shortSessions() (map[who][]session, error) {
	head, err := l.Head()
	if err != nil {
		return nil, err
	}
	open := map[uint64]Entry{}
	found := map[who][]session{}
	for from := head - min(head, maxWork); from < head; from += MaxRead {
		page, err := l.Read(from, int(min(MaxRead, head-from)))
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			e, err := Parse(r.Text)
			switch {
			case err != nil: // its text was dropped
			case e.Kind == KindLive, e.Kind == KindTalk, e.Kind == KindSnapshot:
				open[r.Index] = e
			case e.Kind == KindEnd:
				begin, ok := open[e.Start]
				delete(open, e.Start)
				if took := e.Time - begin.Time; ok && begin.Client == e.Client && took >= 0 && took < short.Milliseconds() {
					w := who{e.Client, begin.Op}
					found[w] = append(found[w], session{e.Start, r.Index, begin.Time, e.Time, e.Name, begin.Scopes})
				}
			}
		}
	}
	return found, nil
}

// merge replaces the texts of a member's sessions, as far as they are still there,
// by one entry.
func (l *Log) merge(tx *store.Tx, w who, list []session) (int, error) {
	p, err := readPruned(tx, l.epoch)
	if err != nil {
		return 0, err
	}
	m := Entry{Kind: KindMerged, Client: w.client, Op: w.op}
	for _, s := range list {
		gone, err := l.dropSession(tx, &p, s)
		if err != nil {
			return 0, err
		}
		if !gone {
			m.include(s)
		}
	}
	if m.Count == 0 {
		return 0, nil
	}
	if err := p.write(tx); err != nil {
		return 0, err
	}
	_, err = l.add(tx, []Entry{m})
	return int(m.Count), err
}

// dropSession drops both texts of a session, unless one is gone already.
func (l *Log) dropSession(tx *store.Tx, p *pruned, s session) (gone bool, err error) {
	var both [2][]byte
	for i, index := range []uint64{s.begin, s.end} {
		both[i], err = texts(l.epoch).Get(tx, store.Key64(index))
		if errors.Is(err, store.ErrNotFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	for i, index := range []uint64{s.begin, s.end} {
		if err := p.drop(tx, place{l.epoch, index}, both[i]); err != nil {
			return false, err
		}
	}
	return false, nil
}

// include counts a session into an entry of KindMerged.
func (e *Entry) include(s session) {
	if e.Count == 0 || s.begin < e.Start {
		e.Start, e.From = s.begin, s.from/1000
	}
	if s.end > e.Last {
		e.Last, e.Until, e.Name = s.end, s.until/1000, s.name
	}
	e.Count++
	for _, scope := range s.scopes {
		if !slices.Contains(e.Scopes, scope) {
			e.Scopes = append(e.Scopes, scope)
		}
	}
}
