package pairing

import (
	"fmt"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// Talk is a client's conversation with its device, between its keys and its receipt. It
// is good only until the function that it was given to returns. docs/protocol.md 3.11.
type Talk struct {
	ch      *channel
	p       *Paired
	self    proto.ClientID
	settled bool // the receipt is there
}

// Ask asks one thing. After a *proto.SetupProblem the conversation goes on; any other
// error has ended it.
func (t *Talk) Ask(do proto.SetupDo) (proto.SetupReply, error) {
	if err := t.ch.write(message{Type: messageAsk, Ask: &proto.SetupAsk{Do: do}}); err != nil {
		return proto.SetupReply{}, err
	}
	m, err := t.ch.read(messageReply, messageProblem, messageRefusal)
	switch {
	case err != nil:
		return proto.SetupReply{}, err
	case m.Type != messageReply:
		return proto.SetupReply{}, m.refused()
	case m.Reply == nil || len(m.Reply.Networks) > proto.MaxNetworks:
		return proto.SetupReply{}, fmt.Errorf("%w: reply without what was asked for, or with too much", ErrProtocol)
	}
	return *m.Reply, nil
}

// Set has the device try settings, keep them and enrol the client. progress is told what
// the device is at; nil: nobody is. After a *proto.SetupProblem nothing was kept, and the
// conversation goes on; any other error has ended it. Without one the client has its
// receipt, and asks and sets nothing more.
func (t *Talk) Set(s proto.SetupSettings, progress func(proto.SetupStep)) error {
	m := message{Type: messageSettings}
	if !s.Empty() {
		if err := s.Check(); err != nil {
			return err
		}
		m.Settings = &s
	}
	if err := t.ch.write(m); err != nil {
		return err
	}
	for {
		m, err := t.ch.read(messageProgress, messageProblem, messageReceipt, messageRefusal)
		switch {
		case err != nil:
			return err
		case m.Type == messageReceipt:
			t.settled = true
			return t.p.readReceipt([]byte(m.JWS), t.ch.h, t.self)
		case m.Type != messageProgress:
			return m.refused()
		case !codeForm(proto.Code(m.Step)):
			return fmt.Errorf("%w: progress without a step", ErrProtocol)
		case progress != nil:
			progress(m.Step)
		}
	}
}

// refused is the error of a problem or a refusal.
func (m message) refused() error {
	switch {
	case !codeForm(m.Code) || m.Code == proto.CodeOK:
		return fmt.Errorf("%w: %s without a code", ErrProtocol, m.Type)
	case m.Type == messageProblem:
		return &proto.SetupProblem{Code: m.Code, Detail: foreign.Line(m.Sentence)}
	}
	return proto.Refuse(m.Code)
}
