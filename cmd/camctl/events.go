package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

// firstEvents is how many entries a home is shown that has seen none.
const firstEvents = 50

type eventsCmd struct {
	Follow bool   `arg:"--follow" help:"go on until Ctrl-C: tell what happens when it happens"`
	Save   string `arg:"--save" help:"save the pictures of rings in this folder" placeholder:"DIR"`
	Camera string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
}

// Run tells what happened since the last time, and what is kept or what happens.
func (c eventsCmd) Run(env *environment) error {
	if c.Save != "" {
		if err := os.MkdirAll(c.Save, 0o700); err != nil {
			return fmt.Errorf("pictures can't be saved in %s: %w", c.Save, client.Bare(err))
		}
	}
	camera, err := env.dial(c.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	e := &events{ctx: env.ctx, camera: camera.Camera, emit: env.printEntry, warn: func(sentence string) error {
		_, err := fmt.Fprintf(env.errOut, "camctl: %s\n", sentence)
		return err
	}}
	if err := e.begin(firstEvents); err != nil {
		return err
	}
	notices, cancel, err := camera.Notices(env.ctx) // before the log is read, so that nothing falls between
	if err != nil {
		return err
	}
	defer cancel()
	if err := e.catchUp(); err != nil {
		return err
	}
	kept := keptEvents{env: env, camera: camera.Camera, loc: e.loc, dir: c.Save}
	may, err := kept.may()
	switch {
	case err != nil:
		return err
	case !may && c.Save != "":
		return proto.Refuse(proto.CodeScope)
	case may && (!c.Follow || c.Save != ""):
		if err := kept.list(); err != nil {
			return err
		}
	}
	if !c.Follow {
		return nil
	}
	env.note("Following %s. Ctrl-C ends it.", camera.Record().Title())
	if c.Save != "" {
		e.rang = kept.await
	}
	return e.follow(notices)
}

// events tells of each entry that members are told of, once.
type events struct {
	ctx    context.Context
	camera *client.Camera
	emit   func(entryLine) error
	warn   func(sentence string) error
	rang   func(index uint64, at time.Time) // what is done about a ring beside that; may be nil
	loc    *time.Location
	audits bool   // may read the whole log
	next   uint64 // the first entry that was not shown
}

// begin finds out where to begin: at what is new, or at the last ones for a home that
// has seen none.
func (e *events) begin(last uint64) (err error) {
	if err := e.know(); err != nil {
		return err
	}
	seen, known, err := e.camera.LastNotice(e.ctx)
	if err != nil || known {
		e.next = seen + 1
		return err
	}
	return e.back(last)
}

// know finds out what the household is like.
func (e *events) know() (err error) {
	if e.loc, err = zone(e.ctx, e.camera); err != nil {
		return err
	}
	e.audits, err = e.camera.Audits(e.ctx)
	return err
}

// back begins so many entries before the end.
func (e *events) back(entries uint64) error {
	page, err := e.camera.LogPage(e.ctx, 0)
	e.next = max(page.Size, entries) - entries
	return err
}

// catchUp shows what the log has and no notice told. Who may not read it all sees
// its own entries only, and learns of others by the notices that are missing.
func (e *events) catchUp() error {
	end, err := e.camera.ReadLog(e.ctx, e.next, client.Reader{Each: func(r proto.LogRecord) error {
		entry, err := accesslog.Parse([]byte(r.Text))
		if err == nil && entry.Kind.Noticed() {
			return e.emit(newLine(r.Index, entry, r.Text, e.loc))
		}
		return nil // its text was dropped, or nobody is told of such
	}, Forgot: func(accesslog.Front) error { return nil }})
	if err != nil {
		return err
	}
	if !e.audits || end.Size == 0 {
		return nil
	}
	e.next = max(e.next, end.Size)
	return e.camera.SawNotices(e.ctx, end.Size-1)
}

func (e *events) follow(notices <-chan client.Notice) error {
	for {
		select {
		case n, open := <-notices:
			if !open {
				return e.over()
			}
			if err := e.take(n); err != nil {
				return err
			}
			if n.Entry.Kind == accesslog.KindRing && e.rang != nil {
				e.rang(n.Index, time.UnixMilli(n.Entry.Time))
			}
		case <-e.ctx.Done():
			return nil
		}
	}
}

func (e *events) take(n client.Notice) error {
	if n.Index < e.next {
		return nil
	}
	if n.Missed {
		if err := e.missed(); err != nil || e.audits {
			return err // with the log's entries came this one
		}
	}
	e.next = n.Index + 1
	if n.Entry.Kind == "" {
		return nil
	}
	text, err := n.Entry.Bytes()
	if err != nil {
		return err
	}
	l := newLine(n.Index, n.Entry, string(text), e.loc)
	l.Missed = n.Missed
	return e.emit(l)
}

// missed tells of a gap, and what the log has of it.
func (e *events) missed() error {
	if !e.audits {
		return e.warn("Notices did not arrive: something happened that you were not told of. Somebody who may read the access log can tell you.")
	}
	if err := e.warn("Notices did not arrive; this is what the access log has instead:"); err != nil {
		return err
	}
	return e.catchUp()
}

// over says why no notice comes any more.
func (e *events) over() error {
	_, err := e.camera.Call(e.ctx, proto.OpStatus, "", nil)
	if err == nil {
		err = errors.New("the connection to the camera has ended")
	}
	return err
}
