package auth

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// house is a camera with its household as it runs: the real log and store, a clock
// that tests set, sessions that end as slowly as tests want, and people who speak in
// sealed requests and check the proofs of every answer. It lives in a synctest bubble.
type house struct {
	t       *testing.T
	cfg     Config
	a       *Authority
	gate    *Gate
	out     *inbox
	line    *line // to out, unless a test has it lead elsewhere
	wall    wall
	capture fakeCapture
	pusher  Pusher // nil: none
	people  map[proto.ClientID]*person
	stop    func()      // ends Run and waits for it
	held    chan string // receives what became of the capture devices; may be nil

	mu      sync.Mutex
	streams []*stream
	done    []string      // what sessions and capture devices did, in order
	linger  chan struct{} // a session's last write waits for its close; nil: does not wait
	entered chan struct{} // a live handler waits for its close, its right ended or not; nil: does not wait
}

// wall is the clock on the wall.
type wall struct {
	mu     sync.Mutex
	offset time.Duration
	lost   bool // nothing vouches for it
}

func (w *wall) now() (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.offset), !w.lost
}

func (w *wall) set(to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset = time.Until(to)
}

func (w *wall) unsynchronise(lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = lost
}

// fakeCapture notes what became of the capture devices.
type fakeCapture struct{ h *house }

func (e fakeCapture) SetPrivacy(on bool) {
	what := map[bool]string{true: "closed", false: "opened"}[on]
	e.h.did(what)
	if e.h.held != nil {
		e.h.held <- what
	}
}

// stream is a fake session.
type stream struct {
	client proto.ClientID
	ctx    context.Context
	bye    context.CancelFunc // what its viewer does
	ended  chan struct{}
	reason string
}

func (s *stream) Done() <-chan struct{} { return s.ended }
func (s *stream) Reason() string        { return s.reason }

// over reports whether the session has ended.
func (s *stream) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// newHouse starts a camera that nobody has paired with.
func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, people: map[proto.ClientID]*person{}}
	h.capture.h = h
	h.cfg = Config{Abort: func(string) {}, State: filepath.Join(ramFolder(t), "state"), Name: "nursery", Household: DefaultHousehold(), Clock: h.wall.now,
		Check: checkHere, Broker: testBroker}
	if _, err := identity.Init(h.cfg.State, identity.TPM{Use: identity.TPMOff}); err != nil {
		t.Fatal(err)
	}
	h.wall.set(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) // a Monday
	h.start()
	t.Cleanup(h.close)
	return h
}

// ramFolder is a temporary folder where a sync takes no time, if there is such a place:
// what these tests show does not depend on the disk.
func ramFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "camd-auth-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// start opens the state folder and runs the gate.
func (h *house) start() {
	h.t.Helper()
	log := slog.New(slog.DiscardHandler)
	a, err := Open(h.t.Context(), h.cfg, log, health.NewBoard(log))
	if err != nil {
		h.t.Fatal(err)
	}
	h.a, h.out = a, &inbox{}
	h.line = &line{to: h.out}
	h.gate = newGate(a, Deps{Sender: h.line, Capture: h.capture, Pusher: h.pusher})
	h.gate.Handle(proto.OpPush, a.OpPush(h.pusher))
	h.gate.Handle(proto.OpLive, forSession(h.live))
	h.gate.Handle(proto.OpStatus, forQuery(func(context.Context, Request) (Result, error) { return Result{Body: "fine"}, nil }))
	h.gate.Handle(proto.OpBye, Query[None]{Always: true, Answer: func(context.Context, Request, None) (Result, error) { return Result{}, nil }})
	h.run()
}

// run runs the gate until stop.
func (h *house) run() {
	ctx, cancel := context.WithCancel(h.t.Context())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- h.gate.Run(ctx, func() { close(ready) }) }()
	<-ready
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			h.t.Errorf("Run: %v", err)
		}
	})
}

func (h *house) close() {
	h.stop()
	if err := h.a.Close(); err != nil {
		h.t.Error(err)
	}
}

// restart is a power cycle; meanwhile runs while nothing does.
func (h *house) restart(meanwhile ...func()) {
	h.t.Helper()
	h.close()
	for _, f := range meanwhile {
		f()
	}
	h.start()
}

func (h *house) did(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, what)
}

// deeds are what sessions and capture devices did since the last call.
func (h *house) deeds() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.done
	h.done = nil
	return l
}

// live is the handler of live.
func (h *house) live(ctx context.Context, r Request) (any, Running, error) {
	h.mu.Lock()
	linger, entered := h.linger, h.entered
	ctx, bye := context.WithCancel(ctx)
	s := &stream{client: r.Caller.Client, ctx: ctx, bye: bye, ended: make(chan struct{})}
	h.streams = append(h.streams, s)
	h.mu.Unlock()
	if entered != nil {
		<-entered
	}
	go func() {
		<-ctx.Done()
		s.reason = proto.EndRevoked
		var refusal *proto.Refusal
		if errors.As(context.Cause(ctx), &refusal) {
			s.reason = string(refusal.Code)
		}
		if linger != nil {
			<-linger
		}
		h.did("last packet")
		close(s.ended)
	}()
	return "started", s, nil
}

// entries are the log's from an index on.
func (h *house) entries(from uint64) (l []accesslog.Entry) {
	h.t.Helper()
	records, err := h.a.journal.log.Read(from, accesslog.MaxRead)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range records {
		e, err := accesslog.Parse(r.Text)
		if err != nil {
			h.t.Fatal(err)
		}
		l = append(l, e)
	}
	return l
}

// kinds are those of the entries from an index on.
func (h *house) kinds(from uint64) (l []accesslog.Kind) {
	for _, e := range h.entries(from) {
		l = append(l, e.Kind)
	}
	return l
}

func (h *house) size() uint64 { return entryCount(h.t, h.a) }

func (h *house) health() health.Status { return h.a.journal.condition.Status() }

// deliver hands what the device sent to whom it is for.
func (h *house) deliver() {
	h.t.Helper()
	synctest.Wait()
	for _, s := range h.out.take() {
		if p := h.people[s.to]; p != nil {
			p.receive(s.msg)
		}
	}
}

// brokenStore is one that takes nothing.
func (h *house) brokenStore() *store.DB {
	h.t.Helper()
	db, err := store.Create(store.Config{Path: filepath.Join(ramFolder(h.t), "broken.db")}, func(*store.Tx) error { return nil })
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return db
}

// withoutTrust runs f while trust.db can't be written: what f changes is logged and
// then cut, as by a loss of power.
func (h *house) withoutTrust(f func()) {
	h.t.Helper()
	swap := func(to *store.DB) (was *store.DB) {
		h.a.changes.mu.Lock() // the gate deals with what was cut, now and then
		defer h.a.changes.mu.Unlock()
		was, h.a.members.db = h.a.members.db, to
		return was
	}
	sound := swap(h.brokenStore())
	f()
	synctest.Wait()
	swap(sound)
}

// withoutLog runs f while log.db can't be written.
func (h *house) withoutLog(f func()) {
	h.t.Helper()
	sound := h.a.journal.log
	db, err := store.Create(store.Config{Path: filepath.Join(ramFolder(h.t), "log.db")}, func(*store.Tx) error { return nil })
	if err != nil {
		h.t.Fatal(err)
	}
	if h.a.journal.log, err = accesslog.Open(db, 1, "x", h.a.keys.log); err == nil {
		err = db.Close()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	f()
	synctest.Wait()
	h.a.journal.log = sound
}

// file is a store's path.
func (h *house) file(name string) string { return filepath.Join(h.cfg.State, storeFolder, name) }

// copyOf is a file's content now; back puts it back. Nothing may run meanwhile.
func (h *house) copyOf(name string) []byte {
	h.t.Helper()
	b, err := os.ReadFile(h.file(name))
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *house) back(name string, content []byte) {
	h.t.Helper()
	if err := os.WriteFile(h.file(name), content, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// inHouse runs a test in a bubble, in a house of its own.
func inHouse(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newHouse(t)) })
}
