package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

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
	if _, err := h.a.enroll(h.a.current, publicKey(p.keys), []byte(p.card()), ""); err != nil {
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
	r := proto.Request{Audience: p.h.gate.device, Epoch: p.h.gate.keys.epoch, Nonce: p.nonce, Sequence: p.seq,
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
	msg, err := envelope.SealRequest(r, p.sig, p.h.gate.keys.enc.PublicKey())
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
	o, err := envelope.OpenOut(msg, p.enc, &p.h.gate.keys.sig.PublicKey)
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
	public, _ := h.a.keys.log.Public().(ed25519.PublicKey) // it is one
	return accesslog.ParseCheckpoint(text, accesslog.Origin(h.a.Identity().DeviceID(), h.a.keys.epoch), public)
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
