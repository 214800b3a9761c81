package event

import (
	"context"
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
}

// waiting holds them.
type waiting struct {
	mu sync.Mutex
	of map[proto.ClientID]taken
}

// add takes the place of the member's last one.
func (w *waiting) add(client proto.ClientID, t taken) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(t.at)
	w.of[client] = t
	for w.bytes() > waitingBytes {
		delete(w.of, w.oldest())
	}
}

// get finds the picture of a member's request.
func (w *waiting) get(client proto.ClientID, session string, now time.Time) (picture, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(now)
	t, ok := w.of[client]
	return t.picture, ok && t.session == session
}

func (w *waiting) sweep(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(now)
}

func (w *waiting) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.of)
}

// drop, bytes and oldest are called with mu held.
func (w *waiting) drop(now time.Time) {
	for c, t := range w.of {
		if now.Sub(t.at) >= waitingTime {
			delete(w.of, c)
		}
	}
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
// and logged when it is called; ctx ends with the right.
func (e *Events) Snapshot(ctx context.Context, client proto.ClientID, session string) (proto.Picture, error) {
	p, err := e.picture(ctx)
	if err != nil {
		return proto.Picture{}, err
	}
	e.waiting.add(client, taken{session, time.Now(), p})
	return proto.Picture{Kind: p.kind, Size: len(p.data)}, nil
}
