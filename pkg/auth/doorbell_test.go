package auth

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// withPictures has the camera take pictures, of which the longest part is fetched.
func (h *house) withPictures() {
	h.stop()
	h.gate.Handle(proto.OpSnapshot, Session[None]{Scopes: Needs[None](proto.ScopeSnapshot), Begin: func(context.Context, Request, None) (any, Running, error) {
		return proto.Picture{Kind: proto.PictureJPEG, Size: proto.PicturePage}, nil, nil
	}})
	h.gate.Handle(proto.OpEvents, Query[proto.EventsRequest]{Scopes: proto.EventsRequest.Scopes, Answer: func(context.Context, Request, proto.EventsRequest) (Result, error) {
		return Result{Body: proto.EventsAnswer{Part: &proto.PicturePart{
			Picture: proto.Picture{Kind: proto.PictureJPEG, Size: proto.MaxPicture}, Offset: proto.MaxPicture, Data: make([]byte, proto.PicturePage),
		}}}, nil
	}})
	h.run()
}

// A ring is told to everyone, also while a change of the household is being made, and
// until the epoch ends.
func TestRing(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		everyone := []*person{anna, bob, carl, dora}
		for _, p := range everyone {
			p.heard()
		}
		h.a.changes.mu.Lock()
		n, err := h.a.Ring()
		h.a.changes.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range everyone {
			if got := p.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindRing}) {
				t.Errorf("%s hears of %v", p.name, got)
			}
		}
		if e := h.entries(n)[0]; e.Network != accesslog.NetLocal || e.Client != "" {
			t.Errorf("%+v", e)
		}
		if err := h.a.SetPrivacy(true); err != nil {
			t.Fatal(err)
		}
		if _, err := h.a.Ring(); err != nil {
			t.Errorf("in privacy mode: %v", err)
		}
		if err := h.a.Evict(); err != nil {
			t.Fatal(err)
		}
		size := h.size()
		if _, err := h.a.Ring(); err == nil || h.size() != size {
			t.Errorf("after the end of the epoch: %v", err)
		}
	})
}

func TestRingWithoutALog(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.owner("Anna")
		h.withoutLog(func() {
			if _, err := h.a.Ring(); err == nil {
				t.Error("Ring() succeeds")
			}
		})
	})
}

// A picture on request is an access like any other: in the log before it is taken, told
// to everyone, withheld by privacy mode, and over at once.
func TestSnapshotIsAnAccess(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, _ := h.household()
		h.withPictures()
		anna.hello()
		bob.hello()
		carl.hello()
		anna.heard()
		before := h.size()
		bob.must(proto.OpSnapshot, nil, in("p1"))
		if got := anna.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindSnapshot, accesslog.KindEnd}) {
			t.Errorf("Anna hears of %v", got)
		}
		l := h.entries(before)
		if len(l) != 2 || l[0].Op != proto.OpSnapshot || l[0].Client != bob.id || l[0].Session != "p1" ||
			!slices.Equal(l[0].Scopes, []proto.Scope{proto.ScopeSnapshot}) || l[1].Start != before || l[1].Reason != "ok" {
			t.Errorf("%+v", l)
		}
		if w := h.a.sessions.scopes(bob.id); len(w) != 0 {
			t.Errorf("Bob still holds %v", w)
		}
		bob.must(proto.OpSnapshot, nil, in("p1")) // the name is free again
		carl.want(proto.CodeScope, proto.OpSnapshot, nil, in("p2"))
		bob.want(proto.CodeBadRequest, proto.OpSnapshot, nil)
		before = h.size()
		bob.must(proto.OpEvents, proto.EventsRequest{Snapshot: "p1"})
		if h.size() != before {
			t.Error("each part of a picture makes an entry")
		}
		if err := h.a.SetPrivacy(true); err != nil {
			t.Fatal(err)
		}
		bob.want(proto.CodePrivacy, proto.OpSnapshot, nil, in("p3"))
		bob.want(proto.CodePrivacy, proto.OpEvents, proto.EventsRequest{Snapshot: "p1"})
		bob.must(proto.OpEvents, proto.EventsRequest{Event: 1})
		carl.want(proto.CodeScope, proto.OpEvents, proto.EventsRequest{})
	})
}

// The longest part of a picture fits an envelope, with the proof of a log that grew by
// thousands of entries since the client saw it.
func TestPartOfAPictureFits(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		h.withPictures()
		anna.hello()
		for range 50 {
			batch := slices.Repeat([]accesslog.Entry{{Kind: accesslog.KindHostile}}, 101)
			if _, err := h.a.journal.Append(batch...); err != nil {
				t.Fatal(err)
			}
		}
		a := anna.must(proto.OpEvents, proto.EventsRequest{Event: 1<<53 - 1, Offset: proto.MaxPicture})
		if got := read[proto.EventsAnswer](t, a); got.Part == nil || len(got.Part.Data) != proto.PicturePage {
			t.Errorf("%+v", got)
		}
	})
}

// What lies beside the epoch's keys goes with them.
func TestEpochFolderIsWiped(t *testing.T) {
	for name, end := range map[string]func(*Authority) error{"evict": (*Authority).Evict, "reset": (*Authority).Reset} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				h.owner("Anna")
				path := filepath.Join(h.a.EpochFolder(), "event.key")
				if err := os.WriteFile(path, []byte("key"), 0o600); err != nil {
					t.Fatal(err)
				}
				h.restart()
				if !exists(t, path) {
					t.Fatal("a restart takes it")
				}
				if err := end(h.a); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				h.restart()
				if exists(t, path) || h.a.EpochFolder() == filepath.Dir(path) {
					t.Errorf("%s is left", path)
				}
			})
		})
	}
}
