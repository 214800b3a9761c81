package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/proto"
)

// LogLine is one entry of the access log as people read it, and as one line of JSON.
type LogLine struct {
	Index    uint64          `json:"n"`
	Time     string          `json:"time,omitempty"` // RFC 3339, in the household's time zone
	Sentence string          `json:"sentence,omitempty"`
	Entry    json.RawMessage `json:"entry,omitempty"`
	Hash     string          `json:"hash,omitempty"`
	Missed   bool            `json:"missed,omitempty"` // Follower only: entries before it did not arrive
}

// NewLogLine returns the line of an entry whose bytes are text.
func NewLogLine(index uint64, e accesslog.Entry, text string, loc *time.Location) LogLine {
	return LogLine{Index: index, Time: time.UnixMilli(e.Time).In(loc).Format(time.RFC3339),
		Sentence: accesslog.Sentence(e, loc), Entry: json.RawMessage(text)}
}

// Location returns the household's time zone, in which its members read times.
func (c *Camera) Location(ctx context.Context) (*time.Location, error) {
	s, err := c.Settings(ctx)
	if err != nil {
		return nil, err
	}
	loc, err := schedule.Zone(s.TimeZone)
	if errors.Is(err, schedule.ErrZone) {
		return nil, fmt.Errorf("the household's time zone %q is not known on this computer; update its time zones", s.TimeZone)
	}
	return loc, err
}

// Follower reports each entry of the access log that members are notified of, once:
// first those that the log has already, then each one as its notice arrives.
type Follower struct {
	Camera *Camera
	Recent uint64                           // entries to begin with, counted from the log's end
	Always bool                             // begin with them even if this home has seen later ones
	Entry  func(LogLine) error              // an error ends CatchUp and Follow
	Warn   func(sentence string) error      // notices are missing
	Ring   func(index uint64, at time.Time) // a doorbell press, after its Entry; may be nil

	loc     *time.Location
	audits  bool   // may read the whole log
	next    uint64 // the first entry that was not reported
	notices <-chan Notice
	cancel  func()
}

// CatchUp begins to listen, and reports what the log has: the entries that this home has
// not seen, or the recent ones if it has seen none. The caller calls Close afterwards.
func (f *Follower) CatchUp(ctx context.Context) (err error) {
	if f.loc, err = f.Camera.Location(ctx); err != nil {
		return err
	}
	if f.audits, err = f.Camera.HasScope(ctx, proto.ScopeAudit); err != nil {
		return err
	}
	seen, known, err := f.Camera.LastNotice(ctx)
	if err != nil {
		return err
	}
	f.next = seen + 1
	if !known || f.Always {
		page, err := f.Camera.LogPage(ctx, 0)
		if err != nil {
			return err
		}
		f.next = max(page.Size, f.Recent) - f.Recent
	}
	// Before the log is read, so that no entry falls between.
	if f.notices, f.cancel, err = f.Camera.Notices(ctx); err != nil {
		return err
	}
	return f.readLog(ctx)
}

// Close stops listening.
func (f *Follower) Close() {
	if f.cancel != nil {
		f.cancel()
	}
}

// Location returns the household's time zone, once CatchUp has returned nil.
func (f *Follower) Location() *time.Location { return f.loc }

// readLog reports the entries from next on. A member who may not read all of them gets
// only its own, and learns of the others by their notices.
func (f *Follower) readLog(ctx context.Context) error {
	end, err := f.Camera.ReadLog(ctx, f.next, Reader{Each: func(r proto.LogRecord) error {
		entry, err := accesslog.Parse([]byte(r.Text))
		if err == nil && entry.Kind.Noticed() {
			return f.Entry(NewLogLine(r.Index, entry, r.Text, f.loc))
		}
		return nil // its text was dropped, or members are not notified of such
	}, Forgot: func(accesslog.Front) error { return nil }})
	if err != nil {
		return err
	}
	if !f.audits || end.Size == 0 {
		return nil
	}
	f.next = max(f.next, end.Size)
	return f.Camera.SawNotices(ctx, end.Size-1)
}

// Follow reports what happens until ctx ends, which is no error, or the connection does.
func (f *Follower) Follow(ctx context.Context) error {
	for {
		select {
		case n, open := <-f.notices:
			if !open { // ask why
				_, err := f.Camera.Call(ctx, proto.OpStatus, "", nil)
				if err == nil {
					err = errors.New("the connection to the camera has ended")
				}
				return err
			}
			if err := f.take(ctx, n); err != nil {
				return err
			}
			if n.Entry.Kind == accesslog.KindRing && f.Ring != nil {
				f.Ring(n.Index, time.UnixMilli(n.Entry.Time))
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *Follower) take(ctx context.Context, n Notice) error {
	if n.Index < f.next {
		return nil
	}
	if n.Missed && f.audits {
		if err := f.Warn("Notices did not arrive; this is what the access log has instead:"); err != nil {
			return err
		}
		return f.readLog(ctx) // this entry is among them
	}
	if n.Missed {
		if err := f.Warn("Notices did not arrive: something happened that you were not told of. Somebody who may read the access log can tell you."); err != nil {
			return err
		}
	}
	f.next = n.Index + 1
	if n.Entry.Kind == "" {
		return nil
	}
	text, err := n.Entry.Bytes()
	if err != nil {
		return err
	}
	l := NewLogLine(n.Index, n.Entry, string(text), f.loc)
	l.Missed = n.Missed
	return f.Entry(l)
}
