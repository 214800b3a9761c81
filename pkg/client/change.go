package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	maxNews  = 1000 // entries that are read for one change
	maxAgain = 3    // times that one change is requested again
)

// Change calls ask, which requests one change. If the change gives rights to someone, and
// the camera refuses it because the household was changed since this client looked, the
// client reads what happened. If none of that touches the request, it calls ask again and
// returns what happened, in sentences. Otherwise the error says what happened, and still
// is the refusal. docs/protocol.md 4.6.
func (c *Camera) Change(ctx context.Context, op proto.Op, body any, ask func() error) (news []string, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r := proto.Request{Op: op, Body: raw}
	if !widens(r) {
		return nil, ask()
	}
	if c.pinned.Load() == nil {
		if err := c.PinCheckpoint(); err != nil {
			return nil, err
		}
		defer c.pinned.Store(nil)
	}
	for again := 0; ; again++ {
		seen := c.pinned.Load()
		err := ask()
		var refused *Refused
		if !errors.As(err, &refused) || refused.Code != proto.CodeStateChanged || seen == nil || again == maxAgain || c.Alarm() != nil {
			return news, err
		}
		changes, touched, looked := c.since(ctx, *seen, r)
		switch {
		case looked != nil:
			return news, err
		case touched:
			return news, home.NewProblem(err, "Nothing was done, since someone changed the same part of the household in the meantime: %s Ask again if you still want it.", strings.Join(changes, " "))
		}
		news = append(news, changes...)
	}
}

var errNotSeen = errors.New("what changed can't be read")

// since returns sentences about what changed the household after a checkpoint, and
// whether that touches r. It pins the checkpoint up to which it has read.
func (c *Camera) since(ctx context.Context, seen accesslog.Checkpoint, r proto.Request) (news []string, touched bool, err error) {
	all, err := c.HasScope(ctx, proto.ScopeAudit)
	if err != nil || !all { // others' entries are not shown to this client
		return nil, false, errors.Join(errNotSeen, err)
	}
	loc, err := c.Location(ctx)
	if err != nil {
		loc = time.UTC
	}
	n := 0
	end, err := c.ReadLog(ctx, seen.Size, Reader{Each: func(l proto.LogRecord) error {
		e, err := accesslog.Parse([]byte(l.Text))
		if n++; err != nil || n > maxNews { // dropped, of a later version, or too many
			return errNotSeen
		}
		if slices.Contains(changeKinds, e.Kind) {
			news = append(news, accesslog.Sentence(e, loc))
			touched = touched || touches(e, r, c.keys.ID())
		}
		return nil
	}})
	if err != nil {
		return nil, false, err
	}
	c.pinned.Store(&end)
	return news, touched, nil
}

// changeKinds are the entries that a person who changes the household should know of.
var changeKinds = []accesslog.Kind{accesslog.KindPair, accesslog.KindGrant, accesslog.KindRevoke, accesslog.KindSettings,
	accesslog.KindPrivacy, accesslog.KindAlarm, accesslog.KindRollback}

// touches reports whether the change e concerns the request r, so that its person might
// not want it any more: the one who asks, or the one whom it is about, was added or
// removed; a name, a setting or an hour in it means something else now; there are other
// guests to keep.
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

// sets reports whether an entry changes the setting name.
func sets(e accesslog.Entry, name string) bool {
	return slices.ContainsFunc(e.Set, func(set string) bool { return strings.HasPrefix(set, name+"=") })
}
