package auth

import (
	"errors"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// forget makes the camera's log one that keeps few hashes, and fills it until it forgets.
func (h *house) forget() {
	h.t.Helper()
	var err error
	h.a.journal.log, err = accesslog.OpenKeeping(h.a.logs, h.a.keys.epoch, accesslog.Origin(h.a.identity.DeviceID(), h.a.keys.epoch), h.a.keys.log, 20)
	for range 350 {
		if err == nil {
			_, err = h.a.journal.log.Append(accesslog.Entry{Kind: accesslog.KindHostile})
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// A household goes on with a log that forgot its first entries, across starts and
// evictions. Who saw none of what is left changes nothing before it has looked.
func TestAHouseholdWhoseLogForgot(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		carl := anna.lets("Carl", proto.RoleGuest)
		away := anna.seen
		anna.must(proto.OpStatus, nil)
		h.forget()
		old := func(r *proto.Request) { r.Checkpoint = away.Note }

		anna.doubts = true // of a checkpoint that old nothing is proved
		anna.want(proto.CodeStateChanged, proto.OpGrant, h.stranger("Eve").grant(proto.RoleGuest), old)
		if anna.wrong == nil {
			t.Error("a checkpoint is proved whose hashes are gone")
		}
		now := anna.must(proto.OpStatus, nil, old)
		anna.want(proto.CodeBadRequest, proto.OpAlarm, proto.Alarm{Have: away.Note, Got: now.Checkpoint}, func(r *proto.Request) { r.Checkpoint = now.Checkpoint })
		var err error
		if anna.seen, err = h.parse(now.Checkpoint); err != nil { // who has asked the others goes on
			t.Fatal(err)
		}
		anna.doubts, carl.seen = false, anna.seen
		if s := h.health(); s.State != health.OK {
			t.Errorf("health: %+v", s)
		}

		if _, _, err := h.a.changes.read(2); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("another entry is taken for that of a change: %v", err)
		}
		for _, name := range []string{"Eve", "Fritz"} {
			p := read[proto.LogAnswer](t, anna.must(proto.OpLog, proto.LogRequest{}))
			front, err := accesslog.ParseFront(p.Forgot, p.Peaks)
			if err != nil || front.Size == 0 || p.Records[0].Index != front.Size {
				t.Errorf("page of all: %d forgotten, %v, %+v", front.Size, err, p.Records[0])
			}
			if p := read[proto.LogAnswer](t, anna.must(proto.OpLog, proto.LogRequest{From: front.Size})); p.Forgot != 0 || p.Peaks != nil {
				t.Errorf("a later page: %d", p.Forgot)
			}
			if p := read[proto.LogAnswer](t, carl.ask(proto.OpLog, proto.LogRequest{})); p.Forgot != 0 || p.Peaks != nil {
				t.Errorf("a guest's page: %d", p.Forgot)
			}
			anna.must(proto.OpGrant, h.stranger(name).grant(proto.RoleGuest))
			anna.must(proto.OpMembers, nil)
			h.restart()
		}
		if err := h.a.Evict(); err != nil {
			t.Fatal(err)
		}
		h.restart()
		berta := h.owner("Berta")
		if p := read[proto.LogAnswer](t, berta.must(proto.OpLog, proto.LogRequest{})); p.Forgot != 0 || p.Records[0].Index != 0 {
			t.Errorf("the next epoch begins with %+v", p.Records[0])
		}
	})
}
