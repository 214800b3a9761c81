package rauc_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update"
	"github.com/camd-project/camd/pkg/update/catalog"
)

// listener is a household that only listens.
type listener struct {
	mu    sync.Mutex
	steps []proto.UpdateStep
	heard chan proto.UpdateStep
}

func (l *listener) Tell(s proto.UpdateStep) error {
	l.mu.Lock()
	l.steps = append(l.steps, s)
	l.mu.Unlock()
	l.heard <- s
	return nil
}
func (*listener) Busy() bool  { return false }
func (*listener) Quiet() bool { return false }

// taking is RAUC but for what this machine's kernel can't do: mount a verity bundle.
type taking struct {
	update.Slots
	taken chan update.Bundle
}

func (s taking) Install(_ context.Context, b update.Bundle, _ func(int)) error {
	s.taken <- b
	return nil
}

// From the maker's table to the slot, each part is the real one: publishing, the server over
// HTTPS, the catalog, the download, RAUC's verdict on the bundle; only the writing is not.
func TestFromTheMakerToTheSlot(t *testing.T) {
	needRAUC(t)
	m := newMaker(t)
	s := newSandbox(t, m, "1.0.0")
	site := publishtest.New(t)
	if _, err := site.Add(publish.Release{Bundle: m.bundle(t, spec{"1.2.0", compatible, "verity", true, noise()}), Notes: "Better pictures."}); err != nil {
		t.Fatal(err)
	}
	site.SignWith("targets-1")
	site.SignWith("targets-2")
	if err := site.SetRollout(compatible, "1.2.0", 100); err != nil {
		t.Fatal(err)
	}
	site.PublishAll()
	server := httptest.NewTLSServer(http.FileServer(http.Dir(site.Dir)))
	t.Cleanup(server.Close)

	state := t.TempDir()
	releases, err := catalog.New(catalog.Config{
		Source:     catalog.Source{Anchors: site.Anchors, State: filepath.Join(state, "update"), URL: server.URL, HTTP: server.Client()},
		Compatible: compatible, Device: "test", Version: "1.0.0",
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := update.DefaultConfig()
	cfg.URL, cfg.RateKbit = server.URL, 0
	log := slog.New(slog.DiscardHandler)
	household := &listener{heard: make(chan proto.UpdateStep, 16)}
	slots := taking{s.driver, make(chan update.Bundle, 1)}
	u, err := update.New(cfg, log, health.NewBoard(log), update.Deps{
		Catalog: releases, Slots: slots, Bundles: s.driver, Household: household, HTTP: server.Client(),
		SelfTest: func(context.Context) error { return nil }, Restart: func() error { return nil }, State: state, Version: "1.0.0",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := u.Run(ctx, func() {}); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	u.Check()
	select {
	case b := <-slots.taken:
		if b.Version != "1.2.0" || len(b.Manifest) != 64 {
			t.Errorf("RAUC is to install %+v", b)
		}
	case <-time.After(2 * time.Minute):
		t.Fatalf("nothing was installed: %+v, %v", u.Status(), household.steps)
	}
	var told []string
	for s := range household.heard {
		if told = append(told, string(s.Kind)); s.Kind == proto.StepInstalled || len(told) > 3 {
			break
		}
	}
	if got := strings.Join(told, " "); got != "available installing installed" {
		t.Errorf("the household was told %q", got)
	}
}
