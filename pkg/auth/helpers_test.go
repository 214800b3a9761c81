package auth

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// testBroker is where every test's clients meet the device.
func testBroker(proto.ClientID) envelope.BrokerLogin {
	return envelope.BrokerLogin{URL: "mqtts://broker:8883"}
}

// checkHere is the check without its child, which pkg/store tests.
func checkHere(_ context.Context, path string) error { return store.CheckFile(path) }

func openAuthority(t testing.TB, state string) *Authority {
	t.Helper()
	a, err := tryOpen(t, state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() }) // a second Close does no harm
	return a
}

func tryOpen(t testing.TB, state string) (*Authority, error) {
	t.Helper()
	return tryOpenWith(t, Config{Abort: func(string) {}, State: state, Check: checkHere, Household: DefaultHousehold(),
		Clock:  func() (time.Time, bool) { return time.Now(), true },
		Broker: testBroker})
}

func tryOpenWith(t testing.TB, cfg Config) (*Authority, error) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	return Open(t.Context(), cfg, log, health.NewBoard(log))
}

func newState(t testing.TB) string {
	t.Helper()
	state := t.TempDir()
	if _, err := identity.Init(state, identity.TPM{Use: identity.TPMOff}); err != nil {
		t.Fatal(err)
	}
	return state
}

// keys is a client's.
type keys struct {
	sig *ecdsa.PrivateKey
	enc *ecdh.PrivateKey
	id  proto.ClientID
}

func newKeys(t testing.TB) keys {
	t.Helper()
	sig, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := envelope.Thumbprint(&sig.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return keys{sig, enc, id}
}

// enrol lets keys in without the handshake, with these scopes.
func enrol(t testing.TB, a *Authority, k keys, scopes ...proto.Scope) {
	t.Helper()
	card, err := envelope.NewKeyCard(k.sig, k.enc.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	m := &member{Card: string(card), Name: "Anna", Role: proto.RoleOwner, Scopes: scopes, id: k.id,
		key: envelope.PublicKey{Sig: &k.sig.PublicKey, Enc: k.enc.PublicKey()}}
	if err := a.members.update(func(all *snapshot) { all.put(m) }, nil); err != nil {
		t.Fatal(err)
	}
}

// pair runs both sides of the handshake.
func pair(t testing.TB, a *Authority, label pairing.Label, k keys) (client, device error) {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() {
		err := a.Join(t.Context(), pairing.NewFramed(there))
		_ = there.Close()
		done <- err
	}()
	_, client = pairing.Initiate(t.Context(), pairing.NewFramed(here), pairing.Client{Label: label, Sig: k.sig, Enc: k.enc.PublicKey()})
	_ = here.Close()
	return client, <-done
}

// inbox keeps what the device sent.
type inbox struct {
	mu   sync.Mutex
	msgs []sent
}

type sent struct {
	to  proto.ClientID
	msg []byte
}

func (i *inbox) Send(to proto.ClientID, msg []byte) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.msgs = append(i.msgs, sent{to, msg})
	return nil
}

func (i *inbox) Notify(to proto.ClientID, msg []byte, done func(error)) error {
	if err := i.Send(to, msg); err != nil {
		return err
	}
	done(nil)
	return nil
}

// line leads where the test says, while a gate runs.
type line struct {
	mu sync.Mutex
	to Sender
}

// use sends to another place what begins now: what is under way ends where it began.
func (l *line) use(to Sender) {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = to
}

func (l *line) end() Sender {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to
}

func (l *line) Send(to proto.ClientID, msg []byte) error { return l.end().Send(to, msg) }

func (l *line) Notify(to proto.ClientID, msg []byte, done func(error)) error {
	return l.end().Notify(to, msg, done)
}

func (i *inbox) take() []sent {
	i.mu.Lock()
	defer i.mu.Unlock()
	l := i.msgs
	i.msgs = nil
	return l
}

// fakeJournal keeps entries in RAM, and fails on demand.
type fakeJournal struct {
	mu      sync.Mutex
	entries []accesslog.Entry
	fail    bool
	order   func(string)
}

func (j *fakeJournal) Append(l ...accesslog.Entry) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail {
		return 0, errors.New("no space left on device")
	}
	for _, e := range l {
		if j.order != nil {
			j.order("log " + string(e.Kind))
		}
		j.entries = append(j.entries, e)
	}
	return uint64(len(j.entries)), nil
}

func (j *fakeJournal) all() []accesslog.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]accesslog.Entry(nil), j.entries...)
}

// world is a running gate with one enrolled client. It lives in a synctest bubble.
type world struct {
	t       *testing.T
	gate    *Gate
	journal *fakeJournal
	out     *inbox
	anna    keys
	calls   []string // what the handlers and the log did, in order
	mu      sync.Mutex
	nonce   string
	seq     uint64
	stop    func() // ends Run and waits for it
}

func (w *world) did(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, what)
}

func (w *world) done() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.calls...)
}

// live is a Running that the test ends.
type live struct {
	done   chan struct{}
	reason string
}

func (l *live) Done() <-chan struct{} { return l.done }
func (l *live) Reason() string        { return l.reason }

// anyLive is a LiveRequest for whatever scopes.
type anyLive proto.LiveRequest

// forSession is an operation like live, but for whatever scopes.
func forSession(begin func(context.Context, Request) (any, Running, error)) Operation {
	return Session[anyLive]{
		Scopes: func(q anyLive) []proto.Scope { return q.Scopes },
		Begin:  func(ctx context.Context, r Request, _ anyLive) (any, Running, error) { return begin(ctx, r) },
	}
}

// forQuery is an operation that takes no body and needs no scope.
func forQuery(answer func(context.Context, Request) (Result, error)) Operation {
	return Query[None]{Answer: func(ctx context.Context, r Request, _ None) (Result, error) { return answer(ctx, r) }}
}

// newGate is a gate with the operations by which a household decides about itself.
func newGate(a *Authority, d Deps) *Gate {
	g := a.NewGate(d)
	for op, o := range map[proto.Op]Operation{
		proto.OpMembers: a.OpMembers(), proto.OpGrant: a.OpGrant(), proto.OpRevoke: a.OpRevoke(), proto.OpSettings: a.OpSettings(),
		proto.OpSetSettings: a.OpSetSettings(), proto.OpPrivacy: a.OpPrivacy(), proto.OpLog: a.OpLog(), proto.OpAlarm: a.OpAlarm(),
	} {
		g.Handle(op, o)
	}
	return g
}

// newWorld starts a gate. Its handlers record that they were called: "live"
// starts nothing that lives on, "status" answers the number of its calls.
func newWorld(t *testing.T, scopes ...proto.Scope) *world {
	t.Helper()
	a := openAuthority(t, newState(t))
	w := &world{t: t, journal: &fakeJournal{}, out: &inbox{}, anna: newKeys(t)}
	w.journal.order = w.did
	if scopes == nil {
		scopes = proto.OwnerScopes()
	}
	enrol(t, a, w.anna, scopes...)
	w.gate = newGate(a, Deps{Sender: w.out})
	w.gate.journal = w.journal
	w.gate.Handle(proto.OpLive, forSession(func(context.Context, Request) (any, Running, error) {
		w.did("live")
		return "started", nil, nil
	}))
	n := 0
	w.gate.Handle(proto.OpStatus, forQuery(func(context.Context, Request) (Result, error) {
		n++
		w.did("status")
		return Result{Body: n}, nil
	}))
	return w
}

// run starts Run and fetches a nonce by hello.
func (w *world) run() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	ready := make(chan struct{})
	go func() { ended <- w.gate.Run(ctx, func() { close(ready) }) }()
	<-ready
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(w.stop)
	w.hello()
}

func (w *world) hello() proto.Answer {
	w.t.Helper()
	a := w.ask(func(r *proto.Request) { r.Op, r.Nonce, r.Sequence = proto.OpHello, "", 0 })
	w.nonce = a.Nonce
	return a
}

// request is a good status request with a fresh sequence, changed by f.
func (w *world) request(f func(*proto.Request)) proto.Request {
	w.seq++
	r := proto.Request{Audience: w.gate.device, Epoch: w.gate.keys.epoch, Nonce: w.nonce, Sequence: w.seq,
		ID: rand.Text(), IssuedAt: time.Now().Unix(), Op: proto.OpStatus}
	if f != nil {
		f(&r)
	}
	return r
}

func (w *world) seal(r proto.Request) []byte {
	w.t.Helper()
	msg, err := envelope.SealRequest(r, w.anna.sig, w.gate.keys.enc.PublicKey())
	if err != nil {
		w.t.Fatal(err)
	}
	return msg
}

// receive hands a message to the gate, waits until all is still, and returns
// the answers.
func (w *world) receive(msg []byte) []proto.Answer {
	w.t.Helper()
	w.gate.Receive(w.t.Context(), w.anna.id, msg)
	synctest.Wait()
	return w.answers()
}

func (w *world) answers() []proto.Answer {
	w.t.Helper()
	var l []proto.Answer
	for _, s := range w.out.take() {
		if o := w.open(s); o.Answer != nil {
			l = append(l, *o.Answer)
		}
	}
	return l
}

func (w *world) open(s sent) envelope.Out {
	w.t.Helper()
	o, err := envelope.OpenOut(s.msg, w.anna.enc, &w.gate.keys.sig.PublicKey)
	if err != nil || s.to != w.anna.id {
		w.t.Fatalf("what the device sent to %s: %v", s.to, err)
	}
	return o
}

// ask expects exactly one answer.
func (w *world) ask(f func(*proto.Request)) proto.Answer {
	w.t.Helper()
	l := w.receive(w.seal(w.request(f)))
	if len(l) != 1 {
		w.t.Fatalf("%d answers", len(l))
	}
	return l[0]
}

// forLive makes a request one for a live session.
func forLive(sid string, scopes ...proto.Scope) func(*proto.Request) {
	return func(r *proto.Request) {
		r.Op, r.Session = proto.OpLive, sid
		r.Body, _ = json.Marshal(proto.LiveRequest{SDP: "v=0", Scopes: scopes})
	}
}
