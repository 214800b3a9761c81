package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/auth/schedule"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	maxMeanwhile = 1000 // entries that are read for one change
	maxAgain     = 3    // times that one change is asked for again
)

// Change carries out ask, which asks for one change that gives rights to someone. If
// the camera refuses it because the household was changed since this client looked,
// the client looks itself: where nothing that happened touches what was asked for, it
// asks again and returns what happened, in sentences. Otherwise the error says what
// happened, and still is the refusal. docs/protocol.md 4.6.
func (c *Camera) Change(ctx context.Context, op proto.Op, body any, ask func() error) (meanwhile []string, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r := proto.Request{Op: op, Body: raw}
	if !widens(r) {
		return nil, ask()
	}
	if c.held.Load() == nil {
		if err := c.Hold(); err != nil {
			return nil, err
		}
		defer c.held.Store(nil)
	}
	for again := 0; ; again++ {
		seen := c.held.Load()
		err := ask()
		var refused *Refused
		if !errors.As(err, &refused) || refused.Code != proto.CodeStateChanged || seen == nil || again == maxAgain || c.Alarm() != nil {
			return meanwhile, err
		}
		news, touched, looked := c.since(ctx, *seen, r)
		switch {
		case looked != nil:
			return meanwhile, err
		case touched:
			return meanwhile, home.NewProblem(err, "Nothing was done, since someone changed the same part of the household in the meantime: %s Ask again if you still want it.", strings.Join(news, " "))
		}
		meanwhile = append(meanwhile, news...)
	}
}

var errNotSeen = errors.New("what happened meanwhile can't be read")

// since reads what changed the household after a checkpoint, reports whether that
// touches r, and holds the state up to which it has read.
func (c *Camera) since(ctx context.Context, seen accesslog.Checkpoint, r proto.Request) (news []string, touched bool, err error) {
	all, err := c.Audits(ctx)
	if err != nil || !all { // others' entries are not shown to this client
		return nil, false, errors.Join(errNotSeen, err)
	}
	loc := c.location(ctx)
	n := 0
	end, err := c.ReadLog(ctx, seen.Size, Reader{Each: func(l proto.LogRecord) error {
		e, err := accesslog.Parse([]byte(l.Text))
		if n++; err != nil || n > maxMeanwhile { // dropped, of a later version, or too much to go through
			return errNotSeen
		}
		if changes(e.Kind) {
			news = append(news, accesslog.Sentence(e, loc))
			touched = touched || touches(e, r, c.keys.ID())
		}
		return nil
	}})
	if err != nil {
		return nil, false, err
	}
	c.held.Store(&end)
	return news, touched, nil
}

// location is the household's time zone, or what is nearest to it.
func (c *Camera) location(ctx context.Context) *time.Location {
	s, err := c.Settings(ctx)
	if err == nil {
		if loc, err := schedule.Zone(s.TimeZone); err == nil {
			return loc
		}
	}
	return time.UTC
}

// changes reports whether an entry is of a kind that a person who changes the household
// should know of.
func changes(k accesslog.Kind) bool {
	switch k {
	case accesslog.KindPair, accesslog.KindGrant, accesslog.KindRevoke, accesslog.KindSettings, accesslog.KindPrivacy,
		accesslog.KindAlarm, accesslog.KindRollback:
		return true
	}
	return false
}

// touches reports whether the change e bears on the request r, so that its person might
// not want it any more: who asks, or whom it is about, was let in or removed; a name, a
// setting or an hour in it means another thing now; there are other guests to keep.
func touches(e accesslog.Entry, r proto.Request, self proto.ClientID) bool {
	if e.Subject == self || e.Kind == accesslog.KindPair || e.Kind == accesslog.KindAlarm || e.Kind == accesslog.KindRollback {
		return true
	}
	switch r.Op {
	case proto.OpGrant:
		var g proto.Grant
		to, err := grantee(r.Body, &g)
		timed := g.Weekly != "" || g.From != 0 || g.Until != 0
		return err != nil || e.Subject == to || e.SubjectName != "" && naming.Same(e.SubjectName, g.Name) || timed && sets(e, "time_zone")
	case proto.OpRevoke: // with keep_guests
		var v proto.Revoke
		return json.Unmarshal(r.Body, &v) != nil || e.Subject == v.Client || e.Kind == accesslog.KindGrant && e.Client == v.Client
	case proto.OpSetSettings:
		var s proto.SettingsChange
		if json.Unmarshal(r.Body, &s) != nil {
			return true
		}
		hours := (s.QuietHours != nil || s.UpdateHours != nil) && sets(e, "time_zone") || s.TimeZone != nil && (sets(e, "quiet_hours") || sets(e, "update_hours"))
		return hours || slices.ContainsFunc(chosen(s), func(set string) bool {
			name, _, _ := strings.Cut(set, "=")
			return sets(e, name) && !slices.Contains(e.Set, set)
		})
	case proto.OpPrivacy: // off
		return e.Kind == accesslog.KindPrivacy && e.Reason == accesslog.PrivacyOn
	}
	return true
}

// grantee reads a grant, and whom it lets in.
func grantee(body json.RawMessage, into *proto.Grant) (proto.ClientID, error) {
	if err := json.Unmarshal(body, into); err != nil {
		return "", err
	}
	to, err := envelope.VerifyKeyCard([]byte(into.Card))
	if err != nil {
		return "", err
	}
	return to.ClientID(), nil
}

// sets reports whether an entry is about that setting.
func sets(e accesslog.Entry, name string) bool {
	return slices.ContainsFunc(e.Set, func(set string) bool { return strings.HasPrefix(set, name+"=") })
}
