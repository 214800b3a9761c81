package event

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Pictures that wait to be fetched: one for each member, for a minute.
const (
	waitingTime  = time.Minute
	waitingBytes = 4 << 20 // of all members together; then the oldest go
)

// taken is a picture that one member asked for.
type taken struct {
	session string
	at      time.Time
	picture
	done func() // called when nobody can fetch it any more
}

// waiting holds the pictures that wait.
type waiting struct {
	mu   sync.Mutex
	of   map[proto.ClientID]taken
	gone []taken // dropped; done is called without the lock
}

// with drops what is too old, runs f with the lock, and calls done of all that was dropped.
func (w *waiting) with(now time.Time, f func()) {
	w.mu.Lock()
	for c, t := range w.of {
		if now.Sub(t.at) >= waitingTime {
			w.drop(c)
		}
	}
	f()
	gone := w.gone
	w.gone = nil
	w.mu.Unlock()
	for _, t := range gone {
		t.done()
	}
}

// drop drops a member's picture. Only functions that run within with call it.
func (w *waiting) drop(c proto.ClientID) {
	if t, ok := w.of[c]; ok {
		delete(w.of, c)
		w.gone = append(w.gone, t)
	}
}

// add replaces the member's last picture.
func (w *waiting) add(client proto.ClientID, t taken) {
	w.with(t.at, func() {
		w.drop(client)
		w.of[client] = t
		for w.bytes() > waitingBytes {
			w.drop(w.oldest())
		}
	})
}

// get returns the picture of a member's request.
func (w *waiting) get(client proto.ClientID, session string, now time.Time) (p picture, ok bool) {
	w.with(now, func() {
		t, there := w.of[client]
		p, ok = t.picture, there && t.session == session
	})
	return p, ok
}

func (w *waiting) sweep(now time.Time) { w.with(now, func() {}) }

func (w *waiting) forget() {
	w.with(time.Now(), func() {
		for c := range w.of {
			w.drop(c)
		}
	})
}

func (w *waiting) bytes() (n int) {
	for _, t := range w.of {
		n += len(t.data)
	}
	return n
}

func (w *waiting) oldest() (client proto.ClientID) {
	var at time.Time
	for c, t := range w.of {
		if client == "" || t.at.Before(at) {
			client, at = c, t.at
		}
	}
	return client
}

// Snapshot takes a picture for a member, who fetches it with Answer. The gate has decided
// and logged before; ctx ends with the right. The live indicator is on from before the
// picture is taken until nobody can fetch it any more.
func (e *Events) Snapshot(ctx context.Context, client proto.ClientID, session string) (proto.Picture, error) {
	off := func() {}
	if e.deps.Indicator != nil {
		if err := e.deps.Indicator.On(); err != nil {
			return proto.Picture{}, fmt.Errorf("switch the live LED on: %w: %w", err, proto.Refuse(proto.CodeNoLight))
		}
		off = sync.OnceFunc(e.deps.Indicator.Off)
	}
	p, err := e.picture(ctx)
	if err == nil {
		err = context.Cause(ctx) // the right may have ended meanwhile
	}
	if err != nil {
		off()
		return proto.Picture{}, err
	}
	e.waiting.add(client, taken{session, time.Now(), p, off})
	return proto.Picture{Kind: p.kind, Size: len(p.data)}, nil
}
