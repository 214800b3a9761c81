package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// house is a camera with its household as it runs: the real log and store, a clock
// that tests set, sessions that end as slowly as tests want, and people who speak in
// sealed requests and check the proofs of every answer. It lives in a synctest bubble.
type house struct {
	t      *testing.T
	cfg    Config
	a      *Authority
	gate   *Gate
	out    *inbox
	wall   wall
	senses eyes
	people map[proto.ClientID]*person
	stop   func()      // ends Run and waits for it
	held   chan string // what became of the senses; nil: is not told

	mu      sync.Mutex
	streams []*stream
	done    []string      // what sessions and senses did, in order
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

// eyes notes what became of the senses.
type eyes struct{ h *house }

func (e eyes) Hold(on bool) {
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

// over tells whether the session has ended.
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
	h.senses.h = h
	h.cfg = Config{Abort: func(string) {}, State: filepath.Join(ramFolder(t), "state"), Name: "nursery", Household: DefaultHousehold(), Clock: h.wall.now,
		Check: checkHere, Broker: pairing.Broker{URL: "mqtts://broker:8883"}}
	if _, err := InitFactory(h.cfg.State); err != nil {
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
	a.Govern(h.senses)
	h.gate = a.NewGate(h.out)
	h.gate.Handle(proto.OpLive, Rule{Scopes: liveScopes, Logged: true}, h.live)
	h.gate.Handle(proto.OpStatus, Rule{}, func(context.Context, Request) (Result, error) { return Result{Body: "fine"}, nil })
	h.gate.Handle(proto.OpBye, Rule{Rested: true}, func(context.Context, Request) (Result, error) { return Result{}, nil })
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

// deeds are what sessions and senses did since the last call.
func (h *house) deeds() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.done
	h.done = nil
	return l
}

// live is the handler of live.
func (h *house) live(ctx context.Context, r Request) (Result, error) {
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
	return Result{Body: "started", Running: s}, nil
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
	sound := h.a.members.db
	h.a.members.db = h.brokenStore()
	f()
	synctest.Wait()
	h.a.members.db = sound
}

// withoutLog runs f while log.db can't be written.
func (h *house) withoutLog(f func()) {
	h.t.Helper()
	sound := h.a.journal.log
	db, err := store.Create(store.Config{Path: filepath.Join(ramFolder(h.t), "log.db")}, func(*store.Tx) error { return nil })
	if err != nil {
		h.t.Fatal(err)
	}
	if h.a.journal.log, err = accesslog.Open(db, 1, "x", h.a.household.log); err == nil {
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

// person holds a key, and what a good client keeps.
type person struct {
	keys
	h    *house
	name string
	role proto.Role

	nonce   string
	seq     uint64
	seen    accesslog.Checkpoint
	asked   accesslog.Checkpoint // that of the last request
	drift   time.Duration        // of its clock from the wall's
	answers []proto.Answer
	notices []proto.Notice
	proof   accesslog.Proof // of the last answer that had one
	doubts  bool            // the log may not verify; then wrong says why, and seen stays
	wrong   error
}

// stranger is someone with a key that nobody has let in.
func (h *house) stranger(name string) *person {
	h.t.Helper()
	p := &person{keys: newKeys(h.t), h: h, name: name}
	h.people[p.id] = p
	return p
}

func (p *person) card() string {
	p.h.t.Helper()
	card, err := envelope.NewKeyCard(p.sig, p.enc.PublicKey())
	if err != nil {
		p.h.t.Fatal(err)
	}
	return string(card)
}

// owner pairs with a device that nobody owns, as the handshake's end does.
func (h *house) owner(name string) *person {
	h.t.Helper()
	p := h.stranger(name)
	p.role = proto.RoleOwner
	if err := h.a.OpenWindow(time.Hour, name); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.a.enroll(h.a.window, publicKey(p.keys), []byte(p.card())); err != nil {
		h.t.Fatal(err)
	}
	h.a.CloseWindow()
	p.must(proto.OpStatus, nil)
	return p
}

// grant makes the body of a grant for someone, with the role's preset.
func (p *person) grant(role proto.Role, f ...func(*proto.Grant)) proto.Grant {
	g := proto.Grant{Card: p.card(), Name: p.name, Role: role, Scopes: role.Preset()}
	for _, change := range f {
		change(&g)
	}
	return g
}

// lets lets someone in, who then looks at the camera's status.
func (p *person) lets(name string, role proto.Role, f ...func(*proto.Grant)) *person {
	p.h.t.Helper()
	q := p.h.stranger(name)
	q.role = role
	p.must(proto.OpGrant, q.grant(role, f...))
	q.ask(proto.OpStatus, nil)
	return q
}

// household is an owner, an adult, and a guest of each.
func (h *house) household() (anna, bob, carl, dora *person) {
	h.t.Helper()
	anna = h.owner("Anna")
	bob = anna.lets("Bob", proto.RoleAdult)
	carl = anna.lets("Carl", proto.RoleGuest)
	bob.must(proto.OpMembers, nil) // it has not seen Carl's grant
	dora = bob.lets("Dora", proto.RoleGuest)
	anna.must(proto.OpMembers, nil)
	return anna, bob, carl, dora
}

// request makes one under a fresh sequence.
func (p *person) request(op proto.Op, body any, f ...func(*proto.Request)) proto.Request {
	p.h.t.Helper()
	now, _ := p.h.wall.now()
	p.seq++
	r := proto.Request{Audience: p.h.gate.device, Epoch: p.h.gate.household.epoch, Nonce: p.nonce, Sequence: p.seq,
		ID: rand.Text(), IssuedAt: now.Add(p.drift).Unix(), Op: op, Checkpoint: p.seen.Note}
	if body != nil {
		var err error
		if r.Body, err = json.Marshal(body); err != nil {
			p.h.t.Fatal(err)
		}
	}
	for _, change := range f {
		change(&r)
	}
	return r
}

func (p *person) seal(r proto.Request) []byte {
	p.h.t.Helper()
	msg, err := envelope.SealRequest(r, p.sig, p.h.gate.household.enc.PublicKey())
	if err != nil {
		p.h.t.Fatal(err)
	}
	return msg
}

// send hands a request to the gate and does not wait.
func (p *person) send(r proto.Request) {
	p.h.t.Helper()
	p.asked, _ = p.h.parse(r.Checkpoint)
	p.h.gate.Receive(p.h.t.Context(), p.id, p.seal(r))
}

// receive opens what the device sent, and checks what a good client checks.
func (p *person) receive(msg []byte) {
	p.h.t.Helper()
	if len(msg) > proto.MaxMessage {
		p.h.t.Errorf("a message of %d bytes", len(msg))
	}
	o, err := envelope.OpenOut(msg, p.enc, &p.h.gate.household.sig.PublicKey)
	switch {
	case err != nil:
		p.h.t.Errorf("what the device sent to %s: %v", p.name, err)
	case o.Answer != nil:
		p.answers = append(p.answers, *o.Answer)
		p.check(*o.Answer)
	case o.Notice != nil:
		if o.Notice.Audience != p.id || o.Notice.Issuer != p.h.gate.device {
			p.h.t.Errorf("notice: %+v", o.Notice)
		}
		p.notices = append(p.notices, *o.Notice)
	}
}

// check verifies the proofs of an answer against what this client has seen.
func (p *person) check(a proto.Answer) {
	p.h.t.Helper()
	if a.Nonce != "" {
		p.nonce = a.Nonce
	}
	p.proof = accesslog.Proof{}
	if a.Checkpoint == "" {
		return
	}
	now, err := p.h.parse(a.Checkpoint)
	if err == nil {
		err = json.Unmarshal(a.Proof, &p.proof)
	}
	if err == nil {
		err = accesslog.VerifyConsistency(p.asked, now, p.proof)
	}
	switch {
	case p.doubts:
		p.wrong = err
	case err != nil:
		p.h.t.Errorf("%s can't verify the log: %v", p.name, err)
	default:
		p.seen = now
	}
}

// parse verifies a checkpoint of this epoch's log.
func (h *house) parse(text string) (accesslog.Checkpoint, error) {
	public, _ := h.a.household.log.Public().(ed25519.PublicKey) // it is one
	return accesslog.ParseCheckpoint(text, accesslog.Origin(h.a.Identity().DeviceID(), h.a.household.epoch), public)
}

// ask sends a request and returns its one answer. Like a good client it tries again
// with a fresh nonce.
func (p *person) ask(op proto.Op, body any, f ...func(*proto.Request)) proto.Answer {
	p.h.t.Helper()
	r := p.request(op, body, f...)
	a := p.once(r)
	if a.Code == proto.CodeStale {
		p.seq = max(p.seq, a.Sequence) + 1
		r.Nonce, r.Sequence = a.Nonce, p.seq
		a = p.once(r)
	}
	return a
}

// once expects exactly one answer to a request.
func (p *person) once(r proto.Request) proto.Answer {
	p.h.t.Helper()
	p.h.deliver()
	p.answers = nil
	p.send(r)
	p.h.deliver()
	if len(p.answers) != 1 || p.answers[0].Re != r.ID {
		p.h.t.Fatalf("%s asks for %s and gets %d answers: %+v", p.name, r.Op, len(p.answers), p.answers)
	}
	return p.answers[0]
}

func (p *person) hello() {
	p.once(p.request(proto.OpHello, nil, func(r *proto.Request) { r.Nonce = "" }))
}

// must is ask for what has to succeed.
func (p *person) must(op proto.Op, body any, f ...func(*proto.Request)) proto.Answer {
	p.h.t.Helper()
	a := p.ask(op, body, f...)
	if a.Code != proto.CodeOK {
		p.h.t.Fatalf("%s asks for %s: %s", p.name, op, a.Code)
	}
	return a
}

// code is the answer's.
func (p *person) code(op proto.Op, body any, f ...func(*proto.Request)) proto.Code {
	p.h.t.Helper()
	return p.ask(op, body, f...).Code
}

// want is code with an expectation.
func (p *person) want(code proto.Code, op proto.Op, body any, f ...func(*proto.Request)) {
	p.h.t.Helper()
	if got := p.code(op, body, f...); got != code {
		p.h.t.Errorf("%s asks for %s: %s, want %s", p.name, op, got, code)
	}
}

// watch begins a session.
func (p *person) watch(sid string, scopes ...proto.Scope) *stream {
	p.h.t.Helper()
	p.must(proto.OpLive, proto.LiveRequest{SDP: "v=0", Scopes: scopes}, in(sid))
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	return p.h.streams[len(p.h.streams)-1]
}

// view is the body of a request for a session.
func view(scopes ...proto.Scope) proto.LiveRequest {
	return proto.LiveRequest{SDP: "v=0", Scopes: scopes}
}

func in(sid string) func(*proto.Request) { return func(r *proto.Request) { r.Session = sid } }

func as(jti string) func(*proto.Request) { return func(r *proto.Request) { r.ID = jti } }

// row is what the device holds of someone; nil: it is no member.
func (p *person) row() *member { return p.h.a.members.get(p.id) }

// heard are the kinds of the notices that p got since the last call, and whether each
// named the one before.
func (p *person) heard() (kinds []accesslog.Kind) {
	p.h.t.Helper()
	p.h.deliver()
	for _, n := range p.notices {
		e, err := accesslog.Parse([]byte(n.Entry))
		if err != nil {
			p.h.t.Fatal(err)
		}
		kinds = append(kinds, e.Kind)
	}
	p.notices = nil
	return kinds
}

// read decodes an answer's body.
func read[T any](t *testing.T, a proto.Answer) (v T) {
	t.Helper()
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatalf("body of %s: %v", a.Code, err)
	}
	return v
}

// inHouse runs a test in a bubble, in a house of its own.
func inHouse(t *testing.T, f func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newHouse(t)) })
}
