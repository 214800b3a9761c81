package auth

import (
	"encoding/json"
	"errors"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// outcome returns the answer to what an operation returned. The client does not get the text
// of an error.
func (g *Gate) outcome(r proto.Request, res Result, err error) outcome {
	var body json.RawMessage
	if err == nil && res.Body != nil {
		body, err = json.Marshal(res.Body)
	}
	var refusal *proto.Refusal
	switch {
	case err == nil:
		return outcome{code: proto.CodeOK, body: body, entry: res.Entry}
	case errors.As(err, &refusal):
		return coded(refusal.Code)
	default:
		g.log.Error("request failed", "op", string(r.Op), "client", string(r.Issuer), "error", err)
		return coded(proto.CodeInternal)
	}
}

// finish keeps what came of a request, and answers it.
func (g *Gate) finish(mq *memberQueue, j job, o outcome, executed bool) {
	g.queues.keepAnswer(mq, j.execution, o, executed)
	g.reply(mq, j, o)
}

// reply answers a request that was in the queue, with what the log can prove.
func (g *Gate) reply(mq *memberQueue, j job, o outcome) {
	leaving := j.request.Op == proto.OpRevoke && o.code == proto.CodeOK && !j.again
	if (mq.gone.Load() || g.members.get(j.request.Issuer) == nil) && !leaving {
		g.tellFormer(j.request) // even if it was a member when it asked
		return
	}
	m, highest := g.queues.addressee(mq)
	a := g.newAnswer(m, j.request.ID, highest, o)
	proof := g.authority.journal.prove(j.request.Checkpoint, o.entry)
	if proof.rolledBack {
		g.authority.rollback(m)
		proof = g.authority.journal.prove(j.request.Checkpoint, o.entry)
	}
	a.Checkpoint, a.Proof = proof.checkpoint, proof.proof
	g.send(a, m.key)
}

// newAnswer makes an answer. Only members get a nonce: one that leaves must not keep a live
// one.
func (g *Gate) newAnswer(m *member, id string, seq uint64, o outcome) proto.Answer {
	nonce := g.queues.nonces.fresh()
	if g.members.get(m.id) == nil { // after the nonce, which is renewed when m is removed
		nonce = ""
	}
	return proto.Answer{Issuer: g.device, Audience: m.id, Epoch: g.keys.epoch, Re: id,
		Code: o.code, Nonce: nonce, Sequence: seq, Body: o.body, Clock: o.clock, Noticed: g.notices.newestFor(m)}
}

// tellFormer answers a former member that it was removed. It gets no nonce and no proof.
func (g *Gate) tellFormer(r proto.Request) {
	if f := g.members.former(r.Issuer); f != nil {
		g.send(proto.Answer{Issuer: g.device, Audience: f.id, Epoch: g.keys.epoch, Re: r.ID, Code: proto.CodeRevoked}, f.key)
	}
}

// send signs, seals and sends an answer.
func (g *Gate) send(a proto.Answer, to envelope.PublicKey) {
	msg, err := envelope.SealAnswer(a, g.keys.sig, to.Enc)
	if errors.Is(err, envelope.ErrOversized) {
		g.log.Error("answer is too large", "client", string(a.Audience), "error", err)
		a.Code, a.Body = proto.CodeInternal, nil
		msg, err = envelope.SealAnswer(a, g.keys.sig, to.Enc)
	}
	if err == nil {
		err = g.sender.Send(a.Audience, msg)
	}
	if err != nil { // the sender counts and reports it: a broker can cause it at will
		g.log.Debug("answer not sent", "client", string(a.Audience), "error", err)
	}
}

// signal signs, seals and sends one signal of a session.
func (g *Gate) signal(m *member, s *session, kind proto.SignalKind, body any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index++
	text, err := json.Marshal(body)
	var msg []byte
	if err == nil {
		msg, err = envelope.SealSignal(proto.Signal{Issuer: g.device, Audience: m.id, Epoch: g.keys.epoch,
			Session: s.id, Index: s.index, Kind: kind, Body: text}, g.keys.sig, m.key.Enc)
	}
	if err == nil {
		err = g.sender.Send(m.id, msg)
	}
	if err != nil {
		g.log.Debug("signal not sent", "client", string(m.id), "kind", string(kind), "error", err)
	}
}
