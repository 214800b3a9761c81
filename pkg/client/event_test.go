package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// album answers snapshot and events like a camera that keeps the events up to a number,
// all with the same picture.
type album struct {
	kind    string
	data    []byte
	events  uint64
	session string
	spoil   func(*proto.EventsAnswer) // what a hostile one does
}

func (al *album) handle(r proto.Request) (proto.Code, any) {
	var q proto.EventsRequest
	_ = json.Unmarshal(r.Body, &q) // the client's own
	is := proto.Picture{Kind: al.kind, Size: len(al.data)}
	var a proto.EventsAnswer
	switch {
	case r.Op == proto.OpSnapshot:
		al.session = r.Session
		return proto.CodeOK, is
	case r.Op != proto.OpEvents:
		return proto.CodeOK, nil
	case q.Snapshot != "" && q.Snapshot != al.session, q.Event > al.events:
		return proto.CodeNoEvent, nil
	case q.Snapshot != "" || q.Event != 0:
		a.Part = &proto.PicturePart{Picture: is, Offset: q.Offset, Data: al.data[q.Offset:min(q.Offset+proto.PicturePage, len(al.data))]}
	default:
		for id := max(q.From, 1); id <= al.events; id++ {
			if len(a.Events) == 3 {
				a.Next = id
				break
			}
			a.Events = append(a.Events, proto.Event{ID: id, Kind: proto.EventRing, Picture: al.kind, Size: len(al.data)})
		}
	}
	if al.spoil != nil {
		al.spoil(&a)
	}
	return proto.CodeOK, a
}

func newAlbum(size int) *album {
	al := &album{kind: proto.PictureJPEG, data: make([]byte, size), events: 7}
	for i := range al.data {
		al.data[i] = byte(i * i >> 3) //nolint:gosec // its low bits
	}
	return al
}

func TestSnapshotIsFetchedByParts(t *testing.T) {
	for _, size := range []int{1, proto.PicturePage, proto.PicturePage + 1, 30000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			d, c := dialled(t)
			al := newAlbum(size)
			d.handle = al.handle
			p, err := c.Snapshot(t.Context())
			if err != nil || p.Kind != proto.PictureJPEG || !bytes.Equal(p.Data, al.data) {
				t.Errorf("%s, %d bytes, %v", p.Kind, len(p.Data), err)
			}
			var offsets []int
			for _, r := range d.requests {
				var q proto.EventsRequest
				if r.Op == proto.OpEvents && json.Unmarshal(r.Body, &q) == nil {
					offsets = append(offsets, q.Offset)
				}
			}
			slices.Sort(offsets)
			if n := len(offsets); n != (size+proto.PicturePage-1)/proto.PicturePage || offsets[n-1]%proto.PicturePage != 0 {
				t.Errorf("asked for parts at %v", offsets)
			}
			calm(t, c)
		})
	}
}

// A picture that was taken and is not in the log, or is there as something else, is an alarm.
func TestSnapshotThatIsNotInTheLog(t *testing.T) {
	for name, spoil := range map[string]func(*accesslog.Proof, *device){
		"no entry": func(p *accesslog.Proof, _ *device) { p.Entry = nil },
		"another's": func(p *accesslog.Proof, d *device) {
			cp, proof, _, err := d.log.Prove("", new(uint64(1)))
			if err != nil || cp.Note == "" {
				d.t.Error(err)
			}
			p.Entry = proof.Entry
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, c := dialled(t)
			d.handle = newAlbum(10).handle
			d.tamper = func(r proto.Request, a *proto.Answer) {
				var p accesslog.Proof
				if r.Op == proto.OpSnapshot && json.Unmarshal(a.Proof, &p) == nil {
					spoil(&p, d)
					a.Proof = must(json.Marshal(p))
				}
			}
			if _, err := c.Snapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
			if a := c.Alarm(); a == nil || a.Kind != home.AlarmEntry {
				t.Errorf("alarm: %+v", a)
			}
		})
	}
}

func TestEventsAndTheirPictures(t *testing.T) {
	d, c := dialled(t)
	al := newAlbum(2*proto.PicturePage + 9)
	al.kind = proto.PictureMP4
	d.handle = al.handle
	l, err := c.Events(t.Context())
	if err != nil || len(l) != 7 || l[0].ID != 1 || l[6].ID != 7 {
		t.Fatalf("%+v, %v", l, err)
	}
	p, err := c.EventPicture(t.Context(), 7)
	if err != nil || p.Kind != proto.PictureMP4 || !bytes.Equal(p.Data, al.data) {
		t.Errorf("%s, %d bytes, %v", p.Kind, len(p.Data), err)
	}
	var r *Refused
	if _, err := c.EventPicture(t.Context(), 8); !errors.As(err, &r) || r.Code != proto.CodeNoEvent {
		t.Errorf("an event that there is not: %v", err)
	}
}

// What a hostile camera sends is bounded, and no picture is put together of what was not
// asked for.
func TestPicturesOfAHostileCamera(t *testing.T) {
	for name, spoil := range map[string]func(*proto.EventsAnswer){
		"no part":       func(a *proto.EventsAnswer) { a.Part = nil },
		"another place": func(a *proto.EventsAnswer) { a.Part.Offset++ },
		"short":         func(a *proto.EventsAnswer) { a.Part.Data = a.Part.Data[1:] },
		"long":          func(a *proto.EventsAnswer) { a.Part.Data = append(a.Part.Data[:len(a.Part.Data):len(a.Part.Data)], 0) },
		"huge":          func(a *proto.EventsAnswer) { a.Part.Size = 1 << 30 },
		"negative":      func(a *proto.EventsAnswer) { a.Part.Size = -1 },
		"a program":     func(a *proto.EventsAnswer) { a.Part.Kind = "text/html" },
	} {
		t.Run(name, func(t *testing.T) {
			d, c := dialled(t)
			al := newAlbum(3000)
			al.spoil = spoil
			d.handle = al.handle
			if p, err := c.EventPicture(t.Context(), 1); !errors.Is(err, errAnswer) || p.Data != nil {
				t.Errorf("%d bytes, %v", len(p.Data), err)
			}
			if name == "huge" || name == "negative" || name == "a program" {
				al.spoil = nil
				al.kind = "text/html"
			}
			if p, err := c.Snapshot(t.Context()); !errors.Is(err, errAnswer) || p.Data != nil {
				t.Errorf("snapshot: %d bytes, %v", len(p.Data), err)
			}
		})
	}
	d, c := dialled(t)
	d.handle = func(proto.Request) (proto.Code, any) {
		return proto.CodeOK, proto.EventsAnswer{Events: []proto.Event{{ID: 1}}, Next: uint64(len(d.requests) + 1)}
	}
	if _, err := c.Events(t.Context()); !errors.Is(err, errAnswer) {
		t.Errorf("a list without an end: %v", err)
	}
}
