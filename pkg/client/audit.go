package client

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// LogPage reads entries of the access log from an index on, as many as fit into an answer.
func (c *Camera) LogPage(ctx context.Context, from uint64) (proto.LogAnswer, error) {
	return call[proto.LogAnswer](ctx, c, proto.OpLog, proto.LogRequest{From: from})
}

// Reader is called by ReadLog.
type Reader struct {
	Each func(proto.LogRecord) error
	// Forgot is called with the hashes that stand for the oldest entries, if ReadLog was
	// to begin with one that the camera has forgotten. If it is nil, that is an error.
	Forgot func(accesslog.Front) error
}

// ErrForgotten means that the camera has forgotten entries that were to be read.
var ErrForgotten = errors.New("the camera keeps nothing of these entries")

// ReadLog calls to.Each with the entries from an index on, in order, up to the end of the
// log at the first answer. It returns the checkpoint of that answer.
func (c *Camera) ReadLog(ctx context.Context, from uint64, to Reader) (accesslog.Checkpoint, error) {
	var end accesslog.Checkpoint
	for {
		a, err := c.Call(ctx, proto.OpLog, "", proto.LogRequest{From: from})
		if err != nil {
			return end, err
		}
		if end.Note == "" {
			if end, err = c.household.ParseCheckpoint(a.Checkpoint); err != nil {
				return end, home.NewProblem(err, "The camera sent its access log without its signed state.")
			}
		}
		var page proto.LogAnswer
		if err := envelope.Decode(a.Body, &page); err != nil {
			return end, home.NewProblem(errors.Join(errAnswer, err), "The camera's access log can't be read. Update camctl, or the camera.")
		}
		if err := to.forgot(page, from); err != nil {
			return end, err
		}
		to.Forgot = nil // the camera forgets nothing more while it is read
		for _, r := range page.Records {
			if r.Index < from || r.Index >= end.Size {
				continue // newer than the first answer
			}
			if err := to.Each(r); err != nil {
				return end, err
			}
		}
		next := page.Next
		if next == 0 && page.Size < end.Size {
			next = page.Size // entries came between the page and the state that was signed with it
		}
		if next <= from || next >= end.Size {
			return end, nil
		}
		from = next
	}
}

// forgot calls r.Forgot if the camera has forgotten entries from an index on.
func (r Reader) forgot(page proto.LogAnswer, from uint64) error {
	if page.Forgot <= from {
		return nil
	}
	front, err := accesslog.ParseFront(page.Forgot, page.Peaks)
	switch {
	case err != nil:
		return err
	case r.Forgot == nil:
		return home.NewProblem(ErrForgotten, "The camera keeps nothing any more of the first %d entries of its access log. Begin with a later one, or try again.", front.Size)
	}
	return r.Forgot(front)
}

// LogReport is what VerifyLog found.
type LogReport struct {
	Entries  uint64 `json:"entries"`  // in the log
	Texts    uint64 `json:"texts"`    // that could be read; of the others only the hash is kept
	Forgot   uint64 `json:"forgot"`   // of the oldest not even that, but hashes of all of them together
	Complete bool   `json:"complete"` // all of it was compared with what the camera signed; else one's own entries
}

// VerifyLog reads the log and compares it with what the camera signed. A member without
// the scope audit gets only its own entries, and learns only that the log grew as it
// should. A difference raises an Alarm and is an error.
func (c *Camera) VerifyLog(ctx context.Context) (LogReport, error) {
	complete, err := c.record.Role == proto.RoleOwner, error(nil) // whatever the camera says now
	if !complete {
		if complete, err = c.HasScope(ctx, proto.ScopeAudit); err != nil {
			return LogReport{}, err
		}
	}
	report := LogReport{Complete: complete}
	var front accesslog.Front
	var all []accesslog.Record
	end, err := c.ReadLog(ctx, 0, Reader{Each: func(r proto.LogRecord) error {
		if r.Text != "" {
			report.Texts++
		}
		if !complete {
			return nil
		}
		leaf, err := recordOf(r)
		all = append(all, leaf)
		return err
	}, Forgot: func(f accesslog.Front) error { front = f; return nil }})
	report.Entries, report.Forgot = end.Size, front.Size
	if err == nil && complete {
		err = c.matches(front, all, end)
	}
	if errors.Is(err, accesslog.ErrProof) {
		if said := c.demoted(ctx); said != nil {
			return report, said
		}
		c.raise(ctx, proto.Request{Op: proto.OpLog}, end.Note, &breach{home.AlarmTexts, end.Note, err})
	}
	if err == nil || !errors.Is(err, accesslog.ErrProof) {
		return report, err
	}
	return report, home.NewProblem(err, "The entries that the camera sent are not those that it signed.")
}

// demoted returns an error that says so if the camera sent less than the whole log
// because this client is no owner any more, which is no contradiction. It changes the
// record, too.
func (c *Camera) demoted(ctx context.Context) error {
	m, err := c.own(ctx)
	if err != nil || m.Name == "" || slices.Contains(m.Scopes, proto.ScopeAudit) {
		return nil //nolint:nilerr // then it stays a contradiction
	}
	if err := c.household.SetRole(m.Role, m.Name); err != nil {
		c.log.Warn("can't keep the new role", "error", err)
	}
	return home.NewProblem(ErrDemoted, "The camera says that you are no owner any more, but %s, and may not read its whole log. Ask the other members who did that.", m.Role)
}

// recordOf returns the leaf of an entry: its text, or the hash that is left of it.
func recordOf(r proto.LogRecord) (accesslog.Record, error) {
	if r.Text != "" {
		return accesslog.Record{Index: r.Index, Text: []byte(r.Text)}, nil
	}
	hash, err := base64.RawURLEncoding.Strict().DecodeString(r.Hash)
	out := accesslog.Record{Index: r.Index}
	// The decoder skips line ends; the length of the text excludes them.
	if err != nil || len(hash) != len(out.Hash) || len(r.Hash) != base64.RawURLEncoding.EncodedLen(len(out.Hash)) {
		return out, errors.Join(accesslog.ErrProof, err)
	}
	copy(out.Hash[:], hash)
	return out, nil
}

// matches returns an error if the root of all entries is not the one that was signed. A
// camera must keep the newest entries, or it could hide any of them behind one hash.
func (c *Camera) matches(front accesslog.Front, all []accesslog.Record, end accesslog.Checkpoint) error {
	root, err := accesslog.Root(front, all)
	if err != nil {
		return err
	}
	if front.Size+uint64(len(all)) != end.Size || root != end.Hash || front.Size > 0 && uint64(len(all)) < c.kept {
		return accesslog.ErrProof
	}
	return nil
}
