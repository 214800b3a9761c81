package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

func found(version string) proto.UpdateStep {
	return proto.UpdateStep{Kind: proto.StepAvailable, Version: version}
}

// updates are the steps that the log holds from an index on.
func (h *house) updates(from uint64) (l []string) {
	for _, e := range h.entries(from) {
		if e.Kind == accesslog.KindUpdate {
			l = append(l, strings.TrimSpace(string(e.Step)+" "+e.Release))
		}
	}
	return l
}

// A step of an update is told to everyone, by nobody's name, until the epoch ends.
func TestUpdatedIsToldToAll(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		everyone := []*person{anna, bob, carl, dora}
		for _, p := range everyone {
			p.heard()
		}
		before := h.size()
		h.a.changes.mu.Lock()
		err := h.a.Updated(proto.UpdateStep{Kind: proto.StepFailed, Version: "1.2.0", Reason: "its camera gave no picture."})
		h.a.changes.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range everyone {
			if got := p.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindUpdate}) {
				t.Errorf("%s hears of %v", p.name, got)
			}
		}
		e := h.entries(before)[0]
		if e.Step != proto.StepFailed || e.Release != "1.2.0" || e.Reason != "its camera gave no picture" || e.Client != "" || e.Network != "" {
			t.Errorf("%+v", e)
		}
		h.withoutLog(func() {
			if err := h.a.Updated(found("1.3.0")); !refused(err, proto.CodeStorage) {
				t.Errorf("without a log: %v", err)
			}
		})
		if err := h.a.Evict(); err != nil {
			t.Fatal(err)
		}
		size := h.size()
		if err := h.a.Updated(found("1.4.0")); err == nil || h.size() != size {
			t.Errorf("after the end of the epoch: %v", err)
		}
	})
}

// Whatever an update server makes up, it fills neither the log nor the members' phones,
// and keeps nothing else of an update out of the log.
func TestUpdateServerCantFillTheLog(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.owner("Anna")
		before := h.size()
		for i := range 10 * maxSteps {
			_ = h.a.Updated(found(fmt.Sprintf("1.%d.0", i%2)))
			_ = h.a.Updated(proto.UpdateStep{Kind: proto.StepRefused, Reason: fmt.Sprint("reason ", i)})
		}
		if n := h.size() - before; n != 2*maxSteps {
			t.Fatalf("%d entries at once, want %d", n, 2*maxSteps)
		}
		if err := h.a.Updated(proto.UpdateStep{Kind: proto.StepFork}); err != nil {
			t.Errorf("a fork is kept out: %v", err)
		}
		before = h.size()
		for i := range 30 * 24 {
			time.Sleep(time.Hour)
			_ = h.a.Updated(proto.UpdateStep{Kind: proto.StepRefused, Reason: fmt.Sprint("other reason ", i)})
		}
		if n := len(h.updates(before)); n != 30*24/6 {
			t.Errorf("%d entries in a month, want %d", n, 30*24/6)
		}
	})
}

// What each look finds again is told once; what happens again, again.
func TestRepeatedUpdateStep(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.owner("Anna")
		before := h.size()
		refusal := func(why string) proto.UpdateStep {
			return proto.UpdateStep{Kind: proto.StepRefused, Version: "1.2.0", Reason: why}
		}
		install := proto.UpdateStep{Kind: proto.StepInstalling, Version: "1.2.0"}
		for _, s := range []proto.UpdateStep{found("1.2.0"), found("1.2.0"), refusal("a"), refusal("a"), refusal("b"), install, install} {
			if err := h.a.Updated(s); err != nil {
				t.Error(err)
			}
		}
		want := []string{"available 1.2.0", "refused 1.2.0", "refused 1.2.0", "installing 1.2.0", "installing 1.2.0"}
		if got := h.updates(before); !slices.Equal(got, want) {
			t.Errorf("logged: %q", got)
		}
	})
}

// An installation that can't be logged is refused, so nothing is written for it.
func TestUnloggedInstallation(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.owner("Anna")
		install := proto.UpdateStep{Kind: proto.StepInstalling, Version: "1.2.0"}
		for range maxSteps {
			if err := h.a.Updated(install); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.a.Updated(install); !refused(err, proto.CodeBusy) {
			t.Errorf("one too many: %v", err)
		}
		time.Sleep(stepEvery)
		if err := h.a.Updated(install); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

// What others had a part in is short and harmless in the log, and fits it.
func TestForeignWordsOfAnUpdate(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.owner("Anna")
		for _, evil := range []string{"\x1b[2J", "1.0\n", "<b>", "1.2.0 is fine", strings.Repeat("1", 65), strings.Repeat("\x00\"\\é", 2000), "\xff"} {
			before := h.size()
			if err := h.a.Updated(proto.UpdateStep{Kind: proto.StepRefused, Version: evil, Reason: evil}); err != nil {
				t.Fatal(err)
			}
			e := h.entries(before)[0]
			if e.Release != "" || len(e.Reason) > proto.MaxUpdateReason || e.Reason == evil && evil != "<b>" && len(evil) != 65 && evil != "1.2.0 is fine" {
				t.Errorf("%q: version %q, reason %q", evil, e.Release, e.Reason)
			}
		}
	})
}

// Who asks for an update stands in the log before it happens; others are refused.
func TestAskUpdate(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, _, _ := h.household()
		h.stop()
		h.gate.Handle(proto.OpUpdate, Query[proto.UpdateRequest]{Scopes: proto.UpdateRequest.Scopes, Answer: func(_ context.Context, r Request, q proto.UpdateRequest) (Result, error) {
			if q.Do == proto.UpdateDoStatus {
				return Result{}, nil
			}
			entry, err := h.a.AskUpdate(&r, proto.UpdateStep{Kind: proto.StepPostponed, Version: "1.2.0", Until: q.Until})
			return Result{Entry: &entry}, err
		}})
		h.run()
		anna.hello()
		bob.hello()
		anna.heard()
		before := h.size()
		later := proto.UpdateRequest{Do: proto.UpdateDoPostpone, Until: 1796295600}
		anna.must(proto.OpUpdate, later)
		e := h.entries(before)[0]
		if e.Kind != accesslog.KindUpdate || e.Client != anna.id || e.Op != proto.OpUpdate || e.Until != later.Until || e.Network != accesslog.NetMQTT || anna.proof.Entry == nil || anna.proof.Entry.Index != before {
			t.Errorf("%+v", e)
		}
		if got := anna.heard(); !slices.Equal(got, []accesslog.Kind{accesslog.KindUpdate}) {
			t.Errorf("Anna hears of %v", got)
		}
		bob.must(proto.OpUpdate, proto.UpdateRequest{Do: proto.UpdateDoStatus})
		before = h.size()
		bob.want(proto.CodeScope, proto.OpUpdate, later)
		if got := h.kinds(before); !slices.Equal(got, []accesslog.Kind{accesslog.KindRefused}) {
			t.Errorf("refused, and logged: %v", got)
		}
		for _, q := range []proto.UpdateRequest{{}, {Do: "melt"}, {Do: proto.UpdateDoCheck, Until: 5}, {Do: proto.UpdateDoPostpone, Until: -1}} {
			anna.want(proto.CodeBadRequest, proto.OpUpdate, q)
		}
		if _, err := h.a.AskUpdate(nil, found("1.2.0")); err != nil {
			t.Error(err)
		}
		if e := lastEntry(t, h.a); e.Network != accesslog.NetLocal || e.Client != "" {
			t.Errorf("at the device: %+v", e)
		}
		var last proto.Code
		for range maxStarts {
			last = anna.code(proto.OpUpdate, later)
		}
		if last != proto.CodeBusy {
			t.Errorf("a member asks without end: %s", last)
		}
	})
}

// The hours in which the camera restarts by itself are the household's, on its own clock.
func TestMayRestart(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		if !h.a.MayRestart() {
			t.Error("without hours it may at any time")
		}
		anna.must(proto.OpSetSettings, proto.SettingsChange{UpdateHours: new("Mo 12:30-14:00"), TimeZone: new("Europe/Berlin")})
		if !h.a.MayRestart() { // it is 12:00 in UTC, 13:00 in Berlin
			t.Error("not within the hours")
		}
		h.wall.unsynchronise(true)
		if h.a.MayRestart() {
			t.Error("without a clock")
		}
		h.wall.unsynchronise(false)
		h.wall.set(time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC))
		if h.a.MayRestart() {
			t.Error("after the hours")
		}
	})
}
