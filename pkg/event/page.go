package event

import (
	"errors"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// listPage is how many events an answer lists, so that it fits into an envelope.
const listPage = 32

var errNoKeeper = errors.New("events can't be kept")

// Answer answers a request for the list or for a part of a picture. The gate has decided
// before, by q.Scopes.
func (e *Events) Answer(client proto.ClientID, q proto.EventsRequest) (proto.EventsAnswer, error) {
	switch {
	case !q.Valid():
		return proto.EventsAnswer{}, proto.Refuse(proto.CodeBadRequest)
	case q.Snapshot != "":
		p, ok := e.waiting.get(client, q.Snapshot, time.Now())
		if !ok {
			return proto.EventsAnswer{}, proto.Refuse(proto.CodeNoEvent)
		}
		return part(p, q.Offset)
	case e.keeper == nil:
		return proto.EventsAnswer{}, errNoKeeper
	case q.Event != 0:
		p, err := e.keeper.picture(q.Event)
		if errors.Is(err, store.ErrNotFound) {
			err = proto.Refuse(proto.CodeNoEvent)
		}
		if err != nil {
			return proto.EventsAnswer{}, err
		}
		return part(p, q.Offset)
	}
	return e.list(q.From)
}

func (e *Events) list(from uint64) (proto.EventsAnswer, error) {
	all, err := e.keeper.list()
	if err != nil {
		return proto.EventsAnswer{}, err
	}
	var a proto.EventsAnswer
	for _, ev := range all {
		switch {
		case ev.ID < from:
		case len(a.Events) == listPage:
			a.Next = ev.ID
			return a, nil
		default:
			a.Events = append(a.Events, ev)
		}
	}
	return a, nil
}

// part returns a part of a picture.
func part(p picture, offset int) (proto.EventsAnswer, error) {
	if offset >= len(p.data) {
		return proto.EventsAnswer{}, proto.Refuse(proto.CodeBadRequest)
	}
	end := min(offset+proto.PicturePage, len(p.data))
	return proto.EventsAnswer{Part: &proto.PicturePart{
		Picture: proto.Picture{Kind: p.kind, Size: len(p.data)}, Offset: offset, Data: p.data[offset:end],
	}}, nil
}
