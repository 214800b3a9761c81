package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update"
)

// story is an updater and a log that note what happens, in order.
type story struct {
	now    proto.UpdateStatus
	full   bool // the log takes nothing
	err    error
	events []string
}

func (s *story) Status() proto.UpdateStatus { return s.now }

func (s *story) Install(context.Context) error {
	s.events = append(s.events, "install")
	return s.err
}

func (s *story) Postpone(until time.Time) error {
	s.events = append(s.events, fmt.Sprint("postpone ", max(until.Unix(), 0)))
	return s.err
}

func (s *story) AskUpdate(_ *auth.Request, step proto.UpdateStep) (uint64, error) {
	if s.full {
		return 0, proto.Refuse(proto.CodeStorage)
	}
	s.events = append(s.events, fmt.Sprintf("log %s %s %d", step.Kind, step.Version, step.Until))
	return 7, nil
}

func (s *story) updates() *updates {
	return &updates{updater: s, check: func() { s.events = append(s.events, "check") }, log: s}
}

// What people ask for is logged before it is done, and nothing is that can't be done.
func TestWhatPeopleAskOfAnUpdate(t *testing.T) {
	const latest = 2000
	for name, c := range map[string]struct {
		state  proto.UpdateState
		do     proto.UpdateDo
		until  int64
		full   bool
		err    error
		want   proto.Code
		events []string
	}{
		"look":                       {state: proto.UpdateCurrent, do: proto.UpdateDoStatus},
		"look for a release":         {state: proto.UpdateCurrent, do: proto.UpdateDoCheck, events: []string{"check"}},
		"install":                    {state: proto.UpdateAvailable, do: proto.UpdateDoInstall, events: []string{"log asked 1.2.0 0", "install"}},
		"install what waits":         {state: proto.UpdateInstalled, do: proto.UpdateDoInstall, events: []string{"log asked 1.2.0 0", "install"}},
		"install nothing":            {state: proto.UpdateCurrent, do: proto.UpdateDoInstall, want: proto.CodeNoUpdate},
		"install what was refused":   {state: proto.UpdateRefused, do: proto.UpdateDoInstall, want: proto.CodeNoUpdate},
		"install what failed":        {state: proto.UpdateFailed, do: proto.UpdateDoInstall, want: proto.CodeNoUpdate},
		"install unlogged":           {state: proto.UpdateAvailable, do: proto.UpdateDoInstall, full: true, want: proto.CodeStorage},
		"install what has just gone": {state: proto.UpdateAvailable, do: proto.UpdateDoInstall, err: update.ErrNothing, want: proto.CodeNoUpdate, events: []string{"log asked 1.2.0 0", "install"}},
		"put off":                    {state: proto.UpdateAvailable, do: proto.UpdateDoPostpone, until: latest, events: []string{"log postponed 1.2.0 2000", "postpone 2000"}},
		"put off no more":            {state: proto.UpdateInstalled, do: proto.UpdateDoPostpone, events: []string{"log postponed 1.2.0 0", "postpone 0"}},
		"put off too long":           {state: proto.UpdateAvailable, do: proto.UpdateDoPostpone, until: latest + 1, want: proto.CodePutOff},
		"put off what is under way":  {state: proto.UpdateInstalling, do: proto.UpdateDoPostpone, until: latest, want: proto.CodeUnderWay},
		"put off what has begun":     {state: proto.UpdateAvailable, do: proto.UpdateDoPostpone, until: latest, err: update.ErrUnderWay, want: proto.CodeUnderWay, events: []string{"log postponed 1.2.0 2000", "postpone 2000"}},
		"something else":             {state: proto.UpdateAvailable, do: "melt", want: proto.CodeBadRequest},
	} {
		s := &story{now: proto.UpdateStatus{State: c.state, Offered: "1.2.0", Latest: latest}, full: c.full, err: c.err}
		entry, err := s.updates().do(t.Context(), nil, proto.UpdateRequest{Do: c.do, Until: c.until})
		var refusal *proto.Refusal
		if errors.As(err, &refusal) != (c.want != "") || refusal != nil && refusal.Code != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if !slices.Equal(s.events, c.events) {
			t.Errorf("%s: %q, want %q", name, s.events, c.events)
		}
		logged := len(c.events) > 1 && err == nil
		if (entry != nil) != (logged || len(c.events) > 1) || entry != nil && *entry != 7 {
			t.Errorf("%s: entry %v", name, entry)
		}
	}
}

// However often people ask, the update server is asked once a minute.
func TestLooksForAReleaseAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &story{}
		u := s.updates()
		for range 180 {
			if _, err := u.do(t.Context(), nil, proto.UpdateRequest{Do: proto.UpdateDoCheck}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if len(s.events) != 3 {
			t.Errorf("%d looks in three minutes", len(s.events))
		}
	})
}

func TestWithoutAnUpdateServer(t *testing.T) {
	u := &updates{version: "1.0"}
	if s := u.status(); s.State != proto.UpdateOff || s.Version != "1.0" {
		t.Errorf("%+v", s)
	}
	for _, do := range []proto.UpdateDo{proto.UpdateDoCheck, proto.UpdateDoInstall, proto.UpdateDoPostpone} {
		if _, err := u.do(t.Context(), nil, proto.UpdateRequest{Do: do}); err == nil || !strings.Contains(err.Error(), "no update") {
			t.Errorf("%s: %v", do, err)
		}
	}
}

type slots struct {
	s   update.SlotStatus
	err error
}

func (s slots) Status(context.Context) (update.SlotStatus, error) { return s.s, s.err }

func TestCheckUpdate(t *testing.T) {
	on := config.Default()
	on.Update.URL, on.Update.Anchors, on.Update.Image = "https://updates.example", t.TempDir(), t.TempDir()+"/os-release"
	for name, c := range map[string]struct {
		look  func(r *report)
		want  string
		wrong int
	}{
		"off":        {func(r *report) { r.updates(t.Context(), config.Default()) }, "update - update.url is empty", 0},
		"no image":   {func(r *report) { r.updates(t.Context(), on) }, "update WRONG " + on.Update.Image + " does not say which image runs", 3},
		"no anchors": {func(r *report) { r.updates(t.Context(), on) }, "anchors WRONG the image's anchors for updates can't be used", 3},
		"RAUC": {func(r *report) {
			r.slots(t.Context(), slots{update.SlotStatus{Compatible: "a", Booted: "A", Other: "B"}, nil}, "a")
		}, `RAUC ok runs from slot "A", installs into "B"`, 0},
		"another image": {func(r *report) { r.slots(t.Context(), slots{update.SlotStatus{Compatible: "b"}, nil}, "a") }, `RAUC WRONG installs what is for "b", and this image is one for "a"`, 1},
		"no RAUC":       {func(r *report) { r.slots(t.Context(), slots{err: errors.New("RAUC does not run")}, "a") }, "RAUC WRONG RAUC does not run", 1},
	} {
		t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+t.TempDir()+"/none")
		var out bytes.Buffer
		r := &report{w: tabwriter.NewWriter(&out, 0, 0, 1, ' ', 0)}
		c.look(r)
		if err := r.w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(got, c.want) || r.wrong != c.wrong {
			t.Errorf("%s: %d wrong in %q, want %d and %q", name, r.wrong, got, c.wrong, c.want)
		}
	}
}

// An image that updates itself from nowhere keeps its slot, and what is no image has none.
func TestTheSlotOfAnImageIsKept(t *testing.T) {
	for text, want := range map[string]string{"IMAGE_ID=camd-test\nIMAGE_VERSION=1.2.0\n": "slots", "ID=debian\n": ""} {
		cfg := config.Default()
		cfg.Update.Image = filepath.Join(t.TempDir(), "os-release")
		if err := os.WriteFile(cfg.Update.Image, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		parts, err := (&daemon{cfg: cfg, log: slog.New(slog.DiscardHandler)}).openUpdates()
		got := ""
		for _, p := range parts {
			got += p.String()
		}
		if err != nil || got != want {
			t.Errorf("%q: parts %q, %v, want %q", text, got, err, want)
		}
	}
}
