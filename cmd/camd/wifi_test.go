package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/store"
)

// wireless is a changer that answers as the test says.
type wireless struct {
	now            proto.WiFiStatus
	change, look   error
	changed, heard bool
}

func (w *wireless) WiFi(_ context.Context, look bool) (proto.WiFiStatus, error) {
	w.heard = look
	return w.now, w.look
}

func (w *wireless) Change(_ proto.WiFi, j setup.Journal) error {
	w.changed = true
	if w.change != nil {
		return w.change
	}
	_, err := j.Begun()
	return err
}

// entries is an access log.
type entries uint64

func (e *entries) Begun() (uint64, error) { *e++; return uint64(*e), nil }

// Why nothing is done about the Wi-Fi is a sentence of the answer; what can't be said by
// one is a code.
func TestAskWiFi(t *testing.T) {
	none := &proto.SetupProblem{Code: proto.CodeNoWiFi, Detail: "None\n."}
	for name, c := range map[string]struct {
		do           proto.WiFiDo
		change, look error
		code         proto.Code // of a refusal
		problem      string
		logged       bool
	}{
		"look":                            {do: proto.WiFiDoStatus},
		"listen":                          {do: proto.WiFiDoNetworks},
		"look where there is none":        {do: proto.WiFiDoStatus, look: none, problem: `None\u000a.`},
		"listen while another is tried":   {do: proto.WiFiDoNetworks, look: proto.Refuse(proto.CodeBusy), code: proto.CodeBusy},
		"join":                            {do: proto.WiFiDoJoin, logged: true},
		"join where there is none":        {do: proto.WiFiDoJoin, change: none, problem: `None\u000a.`},
		"join while another one is tried": {do: proto.WiFiDoJoin, change: proto.Refuse(proto.CodeBusy), code: proto.CodeBusy},
	} {
		w := &wireless{now: proto.WiFiStatus{Last: &proto.WiFiChange{Reason: "bad\x1b"}}, change: c.change, look: c.look}
		log := new(entries)
		now, err := askWiFi(t.Context(), w, proto.WiFiRequest{Do: c.do, WiFi: &proto.WiFi{SSID: "home"}}, log)
		var refusal *proto.Refusal
		if errors.As(err, &refusal) {
			if refusal.Code != c.code {
				t.Errorf("%s: %s, want %s", name, refusal.Code, c.code)
			}
			continue
		}
		if err != nil || c.code != "" || w.changed != (c.do == proto.WiFiDoJoin) || w.heard != (c.do == proto.WiFiDoNetworks) || (*log != 0) != c.logged {
			t.Errorf("%s: %+v, %v", name, now, err)
		}
		switch {
		case (now.Problem != nil) != (c.problem != ""), now.Problem != nil && (now.Problem.Reason != c.problem || now.Problem.Code != proto.CodeNoWiFi):
			t.Errorf("%s: %+v", name, now.Problem)
		case now.Problem == nil && now.Last.Reason != `bad\u001b`:
			t.Errorf("%s: %q", name, now.Last.Reason)
		}
	}
}

// air is a radio. Who changes networks has a dead connection, and nobody is told.
type air struct {
	proxy *linktest.Proxy

	mu sync.Mutex
	in proto.SSID
}

func (a *air) Networks(context.Context) ([]proto.Network, error) { return nil, nil }

func (a *air) Join(ctx context.Context, w proto.WiFi, _ func(proto.SetupStep)) (proto.WiFi, error) {
	a.proxy.Hold()
	return w, a.Keep(ctx, &w)
}

func (a *air) Keep(_ context.Context, w *proto.WiFi) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.in = w.SSID
	return nil
}

func (a *air) current(context.Context) (*proto.Network, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &proto.Network{SSID: a.in}, nil
}

// receiver is nobody who would be sent anything.
type receiver struct{}

func (receiver) Account(proto.ClientID) (string, bool)           { return "", false }
func (receiver) Receive(context.Context, proto.ClientID, []byte) {}
func (receiver) Online()                                         {}

// A network is in force once the link has a session through it, and not before.
func TestTheLinkProvesAnotherNetwork(t *testing.T) {
	server := linktest.Embedded(t)
	proxy := linktest.NewProxy(t, server.Devices)
	board := health.NewBoard(slog.New(slog.DiscardHandler))
	l := runLink(t, server, proxy.Address(), board)
	online := func() bool { return board.Snapshot()[0].State == health.OK }
	linktest.Until(t, "the camera is online", online)

	state := t.TempDir()
	if err := os.Mkdir(filepath.Join(state, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	radio := &air{proxy: proxy}
	own, err := setup.Open(t.Context(), setup.Config{State: state, Check: func(_ context.Context, path string) error { return store.CheckFile(path) }}, slog.New(slog.DiscardHandler),
		setup.Deps{Radio: radio, HasWiFi: func() bool { return true }, InNetwork: radio.current, Board: board, Member: func(proto.ClientID) bool { return true },
			Supplied: func() string { return "by hand" }, NotTaken: func(uint64) { t.Error("it was not taken") }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = own.Close() }()
	old := proto.SetupSettings{WiFi: &proto.WiFi{SSID: "old", Password: "correct horse"}}
	if err := own.Apply(t.Context(), "anna", old, func(proto.SetupStep) {}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	own.Reach(setupLink{l})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- own.Run(ctx, func() {}) }()
	before := proxy.Accepted()
	if err := own.Change(proto.WiFi{SSID: "new", Password: "correct horse"}, new(entries)); err != nil {
		t.Fatal(err)
	}
	linktest.Until(t, "the new network is in force", func() bool { return own.Settings().WiFi.SSID == "new" })
	if proxy.Accepted() == before || !online() {
		t.Error("there is no session through it")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// Where there is no broker that is said as of any setting.
	server.Stop()
	proxy.Drop()
	soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var problem *proto.SetupProblem
	if err := (setupLink{l}).Reconnect(soon); !errors.As(err, &problem) || problem.Detail == "" {
		t.Errorf("without a broker: %v", err)
	}
}

// runLink runs a link of a device of its own, for as long as the test does.
func runLink(t *testing.T, server *linktest.Server, address string, board *health.Board) *link.Link {
	t.Helper()
	device := proto.NewDeviceID()
	cfg := link.DefaultConfig()
	path, err := pki.WriteCA(t.TempDir(), "ca", server.CA)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Broker, cfg.CA = "mqtts://"+address, path
	l, err := link.New(cfg, slog.New(slog.DiscardHandler), board, device, proto.Status{Online: true, Version: "1"}, link.Login{Certificate: server.Device(device)})
	if err != nil {
		t.Fatal(err)
	}
	l.Deliver(receiver{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx, func() {}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}
