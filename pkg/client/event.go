package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// Picture is one picture of the camera: proto.PictureJPEG or proto.PictureMP4.
type Picture struct {
	Kind string
	Data []byte
}

// Parts of a picture are fetched a few at a time; the camera accepts a hundred requests
// at once and twenty a second. docs/protocol.md 5.1.
const (
	fetchers   = 4
	fetchBurst = 60
	fetchPace  = 60 * time.Millisecond
)

// Snapshot has the camera take a picture, and fetches it. Every member is notified.
func (c *Camera) Snapshot(ctx context.Context) (Picture, error) {
	sid := randomID()
	a, err := c.Call(ctx, proto.OpSnapshot, sid, nil)
	if err != nil {
		return Picture{}, err
	}
	var p proto.Picture
	if err := envelope.Decode(a.Body, &p); err != nil {
		return Picture{}, home.NewProblem(errors.Join(errAnswer, err), "The camera's answer to snapshot can't be read. Update camctl, or the camera.")
	}
	f, err := c.newFetch(p, proto.EventsRequest{Snapshot: sid})
	if err != nil {
		return Picture{}, err
	}
	return f.run(ctx, 0)
}

// Events returns the events that the camera keeps, the oldest first.
func (c *Camera) Events(ctx context.Context) ([]proto.Event, error) {
	var all []proto.Event
	for from, page := uint64(0), 0; page < maxPages; page++ {
		a, err := call[proto.EventsAnswer](ctx, c, proto.OpEvents, proto.EventsRequest{From: from})
		if err != nil {
			return nil, err
		}
		all = append(all, a.Events...)
		if a.Next <= from {
			return all, nil
		}
		from = a.Next
	}
	return nil, home.NewProblem(errAnswer, "The camera's list of events never ends.")
}

// EventPicture fetches the picture of an event by its number. *Refused with
// proto.CodeNoEvent means that there is none, or not yet.
func (c *Camera) EventPicture(ctx context.Context, id uint64) (Picture, error) {
	q := proto.EventsRequest{Event: id}
	a, err := call[proto.EventsAnswer](ctx, c, proto.OpEvents, q)
	if err != nil {
		return Picture{}, err
	}
	if a.Part == nil {
		return Picture{}, home.NewProblem(errAnswer, "The camera's answer to events can't be read. Update camctl, or the camera.")
	}
	f, err := c.newFetch(a.Part.Picture, q)
	if err == nil {
		err = f.take(0, a.Part)
	}
	if err != nil {
		return Picture{}, err
	}
	return f.run(ctx, 1)
}

// fetch is a picture that is being fetched.
type fetch struct {
	camera *Camera
	what   proto.EventsRequest
	is     proto.Picture
	data   []byte
	next   atomic.Int64 // part to ask for
}

func (c *Camera) newFetch(p proto.Picture, q proto.EventsRequest) (*fetch, error) {
	if p.Size <= 0 || p.Size > proto.MaxPicture || p.Kind != proto.PictureJPEG && p.Kind != proto.PictureMP4 {
		return nil, home.NewProblem(errAnswer, "The camera has a picture that this program can't take: %.40q of %d bytes. Update camctl, or the camera.", p.Kind, p.Size)
	}
	return &fetch{camera: c, what: q, is: p, data: make([]byte, p.Size)}, nil
}

// run fetches the parts from first on.
func (f *fetch) run(ctx context.Context, first int64) (Picture, error) {
	f.next.Store(first)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for range fetchers {
		wg.Go(func() {
			if err := f.parts(ctx); err != nil {
				cancel(err) // the first one counts
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return Picture{}, err
	}
	return Picture{f.is.Kind, f.data}, nil
}

func (f *fetch) parts(ctx context.Context) error {
	for {
		i := int(f.next.Add(1)) - 1
		if i*proto.PicturePage >= f.is.Size {
			return nil
		}
		if i >= fetchBurst {
			select {
			case <-time.After(fetchers * fetchPace):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		q := f.what
		q.Offset = i * proto.PicturePage
		a, err := call[proto.EventsAnswer](ctx, f.camera, proto.OpEvents, q)
		if err == nil {
			err = f.take(q.Offset, a.Part)
		}
		if err != nil {
			return err
		}
	}
}

// take copies a part to its place.
func (f *fetch) take(offset int, p *proto.PicturePart) error {
	if p == nil || p.Offset != offset || p.Picture != f.is || len(p.Data) != min(proto.PicturePage, f.is.Size-offset) {
		return home.NewProblem(errAnswer, "The camera sent another part of the picture than was asked for.")
	}
	copy(f.data[offset:], p.Data)
	return nil
}
