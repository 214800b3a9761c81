package client

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

var ben = proto.ClientID(strings.Repeat("B", 43))

// removes answers revocations and lists Ben as a member.
func removes(r proto.Request) (proto.Code, any) {
	switch r.Op {
	case proto.OpRevoke:
		return proto.CodeOK, proto.RevokeAnswer{Revoked: []proto.ClientID{ben}}
	case proto.OpMembers:
		return proto.CodeOK, proto.MembersAnswer{Members: []proto.Member{{Client: ben, Name: "Ben"}}}
	}
	return proto.CodeOK, nil
}

// ops lists what the device heard, each jti once.
func (d *device) ops() (ops []proto.Op, ids []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.requests {
		if !slices.Contains(ids, r.ID) {
			ops, ids = append(ops, r.Op), append(ids, r.ID)
		}
	}
	return ops, ids
}

func TestAnsweredRevokeLeavesNothing(t *testing.T) {
	d, c := dialled(t)
	d.handle = removes
	d.deaf = 0
	a, err := c.Revoke(t.Context(), proto.Revoke{Client: ben})
	if err != nil || !slices.Equal(a.Revoked, []proto.ClientID{ben}) {
		t.Fatalf("Revoke = %v, %v", a, err)
	}
	if l := c.PendingRevokes(); len(l) != 0 {
		t.Errorf("unanswered: %+v", l)
	}
	if _, err := os.Stat(d.file(".pending")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
	calm(t, c)
}

// TestUnansweredRevokeGoesBeforeAllElse has the answer lost and the process end.
func TestUnansweredRevokeGoesBeforeAllElse(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	d.handle = removes
	c := must(Dial(t.Context(), h, keys, r, quiet))
	if _, err := c.Members(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	d.mu.Lock()
	d.deaf = 1000
	d.handle = func(r proto.Request) (proto.Code, any) { defer cancel(); return removes(r) }
	d.mu.Unlock()
	if _, err := c.Revoke(ctx, proto.Revoke{Client: ben}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "The removal of Ben is kept") {
		t.Fatalf("Revoke = %v", err)
	}
	c.Close()
	if l := h.Warnings(r); len(l) != 1 || !strings.Contains(l[0], "not confirmed yet that these are removed: Ben") {
		t.Errorf("warnings %q", l)
	}

	d.mu.Lock()
	id := d.requests[len(d.requests)-1].ID
	d.deaf, d.requests, d.handle = 0, nil, removes
	d.mu.Unlock()
	c = must(Dial(t.Context(), h, keys, r, quiet))
	defer c.Close()
	status(t, c)
	ops, ids := d.ops()
	ops = slices.DeleteFunc(ops, func(o proto.Op) bool { return o == proto.OpHello })
	if !slices.Equal(ops, []proto.Op{proto.OpRevoke, proto.OpStatus}) || !slices.Contains(ids, id) {
		t.Errorf("sent %v (%v), want the same revoke, then status", ops, ids)
	}
	if n := len(must(d.log.Read(0, 100))); n != 3 {
		t.Errorf("%d entries, want one revocation beside 2", n)
	}
	if l := c.Warnings(t.Context()); len(l) != 1 || !strings.Contains(l[0], "now confirmed the removal of Ben") {
		t.Errorf("warnings %q", l)
	}
	calm(t, c)
}

func TestRefusedRevokeIsAnswered(t *testing.T) {
	d, c := dialled(t)
	d.handle = func(proto.Request) (proto.Code, any) { return proto.CodeLastOwner, nil }
	var refused *Refused
	if _, err := c.Revoke(t.Context(), proto.Revoke{Client: ben}); !errors.As(err, &refused) || refused.Code != proto.CodeLastOwner {
		t.Errorf("Revoke = %v", err)
	}
	if l := c.PendingRevokes(); len(l) != 0 {
		t.Errorf("unanswered: %+v", l)
	}
}

func TestBusyIsNoAnswerToARevoke(t *testing.T) {
	d, c := dialled(t)
	d.handle = func(proto.Request) (proto.Code, any) { return proto.CodeBusy, nil }
	if _, err := c.Revoke(t.Context(), proto.Revoke{Client: ben}); err == nil || !strings.Contains(err.Error(), "is kept") {
		t.Errorf("Revoke = %v", err)
	}
	_, err := c.Call(t.Context(), proto.OpStatus, "", nil)
	if err == nil || !strings.Contains(err.Error(), "nothing else is sent to the camera until it is") {
		t.Errorf("Call = %v", err)
	}
	if ops, _ := d.ops(); slices.Contains(ops, proto.OpStatus) {
		t.Errorf("sent %v", ops)
	}
}

func TestKeepingGuestsStaysBoundToWhatWasSeen(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	c := must(Dial(t.Context(), h, keys, r, quiet))
	status(t, c)
	d.mu.Lock()
	d.handle = func(proto.Request) (proto.Code, any) { return proto.CodeBusy, nil }
	d.mu.Unlock()
	if _, err := c.Revoke(t.Context(), proto.Revoke{Client: ben, KeepGuests: true}); err == nil {
		t.Fatal("no error")
	}
	c.Close()
	must(d.log.Append(accesslog.Entry{Kind: accesslog.KindGrant}))
	d.mu.Lock()
	first := d.requests[len(d.requests)-1]
	d.requests, d.done, d.handle = nil, map[string]outcome{}, func(proto.Request) (proto.Code, any) { return proto.CodeStateChanged, nil }
	d.mu.Unlock()
	c = must(Dial(t.Context(), h, keys, r, quiet))
	defer c.Close()
	if err := c.repeatPending(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	last := d.requests[len(d.requests)-1]
	if last.ID != first.ID || last.Checkpoint != first.Checkpoint || string(last.Body) != string(first.Body) {
		t.Errorf("sent %+v after %+v", last, first)
	}
}

// TestProcessesShareRevocations has another process of the home with one that is
// unanswered: this one settles it.
func TestProcessesShareRevocations(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	d.handle = removes
	c := must(Dial(t.Context(), h, keys, r, quiet))
	defer c.Close()
	status(t, c)
	other := must(home.OpenHousehold(h, r))
	p := home.PendingRevoke{ID: "other", Epoch: 1, Body: []byte(`{"client":"` + string(ben) + `"}`)}
	if err := other.AddPending(p); err != nil {
		t.Fatal(err)
	}
	status(t, c)
	if ops, ids := d.ops(); !slices.Contains(ids, "other") || ops[len(ops)-1] != proto.OpStatus || ops[len(ops)-2] != proto.OpRevoke {
		t.Errorf("sent %v", ops)
	}
	if l := must(other.PendingRevokes()); len(l) != 0 {
		t.Errorf("left %+v", l)
	}
	calm(t, c)
}

// TestHeldAnswerToARevokeIsNoAlarm has a broker show, at the repetition, the answer to
// the first sending, which is proved from an older checkpoint than the newest.
func TestHeldAnswerToARevokeIsNoAlarm(t *testing.T) {
	d, c := dialled(t)
	status(t, c)
	var held []byte
	d.mu.Lock()
	d.handle, d.deaf = removes, 1000
	ctx, cancel := context.WithCancel(t.Context())
	d.tamper = func(r proto.Request, a *proto.Answer) {
		if r.Op == proto.OpRevoke {
			held = must(envelope.SealAnswer(*a, d.hhSig, d.client.Enc))
			cancel()
		}
	}
	d.mu.Unlock()
	if _, err := c.Revoke(ctx, proto.Revoke{Client: ben}); err == nil {
		t.Fatal("an answer that was held back came")
	}
	must(d.log.Append(accesslog.Entry{Kind: accesslog.KindLive, Client: ben}))
	from := kept(t, c) // another process goes on
	now, proof, _, err := d.log.Prove(from.Note, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.verify(t.Context(), proto.Request{Op: proto.OpCandidate}, from, proto.Answer{Code: proto.CodeOK, Checkpoint: now.Note, Proof: must(json.Marshal(proof))})
	d.mu.Lock()
	d.deaf = 0
	d.tamper = func(r proto.Request, _ *proto.Answer) {
		if r.Op == proto.OpRevoke {
			d.deaf = 1
			d.mqtt.Publish(proto.TopicOut(d.id, r.Issuer), 1, false, held)
		}
	}
	d.mu.Unlock()
	status(t, c)
	if n := len(c.PendingRevokes()); n != 0 {
		t.Errorf("%d are unanswered", n)
	}
	calm(t, c)
}

// A camera that could not, for now, has not answered a revocation.
func TestRevokeStandsUntilItIsJudged(t *testing.T) {
	for _, code := range []proto.Code{proto.CodeBusy, proto.CodeStorage, proto.CodeInternal} {
		d, c := dialled(t)
		d.handle = func(proto.Request) (proto.Code, any) { return code, nil }
		var refused *Refused
		if _, err := c.Revoke(t.Context(), proto.Revoke{Client: ben}); !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("%s: Revoke = %v", code, err)
		}
		left := c.PendingRevokes()
		if len(left) != 1 {
			t.Fatalf("%s: the revocation is forgotten", code)
		}
		d.mu.Lock()
		clear(d.done) // nothing was done
		d.handle, d.requests = removes, nil
		d.mu.Unlock()
		status(t, c)
		if ops, ids := d.ops(); ops[0] != proto.OpRevoke || ids[0] != left[0].ID {
			t.Errorf("%s: first came %s", code, ops[0])
		}
		if len(c.PendingRevokes()) != 0 {
			t.Errorf("%s: it is unanswered still", code)
		}
	}
}
