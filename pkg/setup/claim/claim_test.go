package claim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/setup/claim/claimtest"
)

// world is all that a Claim has to do with, and what it did with it, in order.
type world struct {
	mu    sync.Mutex
	did   []string
	kept  tls.Certificate
	fail  map[string]error // by what is done
	trial func()           // while a certificate is tried
}

func (w *world) do(what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did = append(w.did, what)
	return w.fail[what]
}

func (w *world) done() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := strings.Join(w.did, " ")
	w.did = nil
	return s
}

func (w *world) Load() (tls.Certificate, error) { return w.kept, nil }
func (w *world) Writable() error                { return w.fail["writable"] }
func (w *world) Take(tls.Certificate) error     { return w.do("take") }
func (w *world) NotTaken()                      { _ = w.do("not taken") }
func (w *world) Taken(time.Time) error          { return w.do("log") }

func (w *world) Keep(c tls.Certificate) error {
	err := w.do("keep")
	if err == nil {
		w.kept = c
	}
	return err
}

func (w *world) Try(context.Context, tls.Certificate) error {
	if w.trial != nil {
		w.trial()
	}
	return w.do("try")
}

// newClaim has a certificate that begins now and lasts for life.
func newClaim(t *testing.T, cfg Config, by *claimtest.Authority, life time.Duration) (*Claim, *world, *health.Board) {
	t.Helper()
	w := &world{fail: map[string]error{}}
	w.kept = by.Lasting(life).Sign(t, good(), nil)
	board := health.NewBoard(slog.New(slog.DiscardHandler))
	c, err := New(cfg, slog.New(slog.DiscardHandler), board, device, Deps{Keeper: w, Broker: w, Own: w, Clock: func() (time.Time, bool) { return time.Now(), true }})
	if err != nil {
		t.Fatal(err)
	}
	return c, w, board
}

// signed returns what an authority makes of the newest request.
func signed(t *testing.T, c *Claim, by *claimtest.Authority) [][]byte {
	t.Helper()
	der, err := c.Request()
	if err != nil {
		t.Fatal(err)
	}
	q, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{by.Issue(t, q).Raw}
}

// The old certificate serves until the new one has connected: judged, tried, logged,
// kept, shown, in this order.
func TestANewCertificate(t *testing.T) {
	root := claimtest.NewAuthority(t, "root", nil)
	c, w, _ := newClaim(t, Config{}, root, time.Hour)
	old := c.Certificate()
	chain := signed(t, c, root)
	w.trial = func() {
		if string(c.Certificate().Certificate[0]) != string(old.Certificate[0]) || string(w.kept.Certificate[0]) != string(old.Certificate[0]) {
			t.Error("the old one is gone while the new one is tried")
		}
	}
	if err := c.Set(t.Context(), chain, w); err != nil {
		t.Fatal(err)
	}
	if got := w.done(); got != "try log keep take" {
		t.Errorf("it did %q", got)
	}
	if now := c.Certificate(); string(now.Certificate[0]) != string(chain[0]) || equal(now.PrivateKey, old.PrivateKey) || !equal(now.PrivateKey, w.kept.PrivateKey) {
		t.Error("another one serves, or it is kept with another key")
	}
	if s := c.Status(); s.Until != root.Certificate.NotAfter.Unix() {
		t.Errorf("it lasts until %v", time.Unix(s.Until, 0))
	}
	if err := c.Set(t.Context(), chain, w); err == nil || !strings.Contains(err.Error(), "has this certificate already") || w.done() != "" {
		t.Errorf("for the second time: %v", err)
	}
}

// What fails leaves the old one.
func TestTheOldCertificateStays(t *testing.T) {
	root := claimtest.NewAuthority(t, "root", nil)
	no := errors.New("no")
	for name, c := range map[string]struct {
		fail  string
		chain func(*Claim) [][]byte
		did   string
		want  string
	}{
		"the broker does not want it": {"try", nil, "try", "was tried, and does not work: no"},
		"the log can't be written":    {"log", nil, "try log", "no"},
		"it can't be kept":            {"keep", nil, "try log keep not taken", "no"},
		"the configuration's":         {"writable", nil, "", "no"},
		"for another key":             {"", func(*Claim) [][]byte { return root.Sign(t, good(), nil).Certificate }, "", "for another key"},
		"no chain":                    {"", func(*Claim) [][]byte { return nil }, "", "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			claim, w, _ := newClaim(t, Config{}, root, time.Hour)
			old := claim.Certificate()
			chain := signed(t, claim, root)
			if c.chain != nil {
				chain = c.chain(claim)
			}
			w.fail[c.fail] = no
			err := claim.Set(t.Context(), chain, w)
			if err == nil || !strings.Contains(err.Error(), c.want) || w.done() != c.did {
				t.Errorf("Set() = %v, want %q", err, c.want)
			}
			if now := claim.Certificate(); string(now.Certificate[0]) != string(old.Certificate[0]) || !equal(w.kept.PrivateKey, old.PrivateKey) {
				t.Error("the old one is gone")
			}
			if c.chain != nil {
				return
			}
			delete(w.fail, c.fail) // the request is still good
			if err := claim.Set(t.Context(), chain, w); err != nil {
				t.Errorf("when it works again: %v", err)
			}
		})
	}
}

func TestRequests(t *testing.T) {
	root := claimtest.NewAuthority(t, "root", nil)
	c, w, _ := newClaim(t, Config{}, root, time.Hour)
	first, second := signed(t, c, root), signed(t, c, root)
	if err := c.Set(t.Context(), first, w); err != nil {
		t.Errorf("who asked first: %v", err)
	}
	if err := c.Set(t.Context(), second, w); err == nil || !strings.Contains(err.Error(), "not waiting for a certificate") {
		t.Errorf("without a request: %v", err)
	}
	third := signed(t, c, root)
	w.trial = func() {
		if err := c.Set(t.Context(), third, w); !errors.Is(err, ErrBusy) {
			t.Errorf("while another one is tried: %v", err)
		}
	}
	if err := c.Set(t.Context(), third, w); err != nil {
		t.Error(err)
	}
	w.fail["writable"] = ErrFixed
	if _, err := c.Request(); !errors.Is(err, ErrFixed) {
		t.Errorf("where nothing can be written: %v", err)
	}
}

func TestTheTrialIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := claimtest.NewAuthority(t, "root", nil)
		c, _, _ := newClaim(t, Config{}, root, time.Hour)
		c.deps.Broker = mute{}
		var known *Problem
		if err := c.Set(t.Context(), signed(t, c, root), nil); !errors.As(err, &known) {
			t.Errorf("a broker that does not answer: %v", err)
		}
	})
}

// mute is a broker that does not answer.
type mute struct{ Broker }

func (mute) Try(ctx context.Context, _ tls.Certificate) error { <-ctx.Done(); return ctx.Err() }

// When two thirds of its life are over the camera renews it by itself.
func TestRenewalByTheCamera(t *testing.T) {
	s := claimtest.NewServer(t)
	s.Lifetime = 3 * time.Hour
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, s.Root.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	c, w, board := newClaim(t, Config{URL: s.URL, CA: ca}, s.Signs, 3*time.Hour)
	start := time.Now()
	now, synchronised := start.Add(119*time.Minute), true
	c.deps.Clock = func() (time.Time, bool) { return now, synchronised }
	if wait := c.look(t.Context()); wait < lookEvery/2 || wait > 2*lookEvery || w.done() != "" {
		t.Errorf("before two thirds of its life: wait %v", wait)
	}
	now, synchronised = start.Add(time.Hour*24*365), false
	if c.look(t.Context()); w.done() != "" {
		t.Error("a clock that nothing vouches for is believed")
	}
	now, synchronised = start.Add(121*time.Minute), true
	w.fail["try"] = errors.New("The broker is away.")
	old := c.Certificate()
	c.look(t.Context())
	if h := board.Snapshot()[0]; w.done() != "try" || h.State != health.Degraded || !strings.Contains(h.Reason, "was not renewed: The certificate was tried, and does not work: The broker is away.") {
		t.Errorf("a renewal that fails: %+v", h)
	}
	if string(c.Certificate().Certificate[0]) != string(old.Certificate[0]) {
		t.Error("the old one is gone")
	}
	delete(w.fail, "try")
	if wait := c.look(t.Context()); wait != ownPause || w.done() != "try log keep take" {
		t.Errorf("the renewal: wait %v", wait)
	}
	if h := board.Snapshot()[0]; h.State != health.OK {
		t.Errorf("after it: %+v", h)
	}
	if asked := fmt.Sprint(s.Asked()); asked != "[simplereenroll cacerts simplereenroll cacerts]" {
		t.Errorf("the server was asked for %v", asked)
	}
}

// While an owner gives the camera a certificate, that it does not renew one itself is no
// fault to report.
func TestRenewalWhileAnOwnerGivesOne(t *testing.T) {
	root := claimtest.NewAuthority(t, "root", nil)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, root.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	c, w, board := newClaim(t, Config{URL: "https://127.0.0.1:1", CA: ca}, root, time.Hour)
	now := time.Now().Add(50 * time.Minute)
	c.deps.Clock = func() (time.Time, bool) { return now, true }
	w.fail["try"] = errors.New("no")
	w.trial = func() { c.look(t.Context()) }
	if err := c.Set(t.Context(), signed(t, c, root), w); err == nil || w.done() != "try" {
		t.Errorf("Set() = %v", err)
	}
	if h, s := board.Snapshot()[0], c.Status(); h.State == health.Degraded || s.Problem != "" {
		t.Errorf("%+v, %q", h, s.Problem)
	}
}

// Nothing renews it: the camera says so when it has ended.
func TestTheEnd(t *testing.T) {
	root := claimtest.NewAuthority(t, "root", nil)
	c, _, board := newClaim(t, Config{}, root, time.Hour)
	for _, step := range []struct {
		after        time.Duration
		synchronised bool
		want         health.State
	}{{0, true, health.OK}, {59 * time.Minute, true, health.OK}, {2 * time.Hour, false, health.OK}, {time.Hour, true, health.Failed}} {
		now := time.Now().Add(step.after)
		c.deps.Clock = clock(now, step.synchronised)
		c.look(t.Context())
		if h := board.Snapshot()[0]; h.Name != "certificate" || h.State != step.want {
			t.Errorf("after %v: %+v", step.after, h)
		}
	}
}

func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := newClaim(t, Config{}, claimtest.NewAuthority(t, "root", nil), time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx, func() {}) }()
		time.Sleep(3 * lookEvery)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestConfig(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, claimtest.NewAuthority(t, "root", nil).PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Config{
		"":                             {},
		"must be https://host":         {URL: "http://est.example", CA: ca},
		"ca is empty, and so is link":  {URL: "https://est.example"},
		"read the server's authority:": {URL: "https://est.example", CA: ca + "x"},
	} {
		if _, err := c.server("", ""); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	if _, err := (Config{URL: "https://est.example"}).server(ca, ""); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Config{URL: "https://est.example"}).server("", string(text)); err != nil { // of a device that was set up
		t.Error(err)
	}
}
