package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client/broker"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/code"
)

// Code is what a camera reads through its lens.
type Code = code.Sealed

// NewCode returns the code by which the camera of label adds this client, and is set up
// with s. What s leaves out stays as it is. docs/protocol.md 3.12.
func NewCode(label pairing.Label, keys *home.Keys, s proto.SetupSettings) (Code, error) {
	card, err := keys.Card()
	if err != nil {
		return nil, err
	}
	short, err := envelope.Shorten(card)
	if err != nil {
		return nil, err
	}
	b := code.Body{Sig: short.Sig, Enc: short.Enc, Proof: short.Signature}
	if n := s.WiFi; n != nil {
		b.WiFi = &code.WiFi{SSID: []byte(n.SSID), Password: n.Password, Hidden: n.Hidden, OpenOK: n.OpenOK}
	}
	if n := s.Broker; n != nil {
		b.Broker = &code.Broker{URL: n.URL, ViewerURL: n.ViewerURL, ServerName: n.ServerName}
		if b.Broker.CA, err = certificateOf(n.CA); err != nil {
			return nil, err
		}
	}
	if n := s.EST; n != nil {
		b.EST = &code.EST{URL: n.URL, User: n.User, Password: n.Password}
	}
	if len(s.Chain) > 0 {
		if b.Login, err = loginOf(s); err != nil {
			return nil, err
		}
	}
	sealed, err := code.Seal(label.Secret, label.Device, b)
	if err != nil {
		return nil, home.NewProblem(err, "What the camera has to know does not fit into a code: %v.", err)
	}
	return sealed, nil
}

// loginOf returns the certificate that was made for the camera, and its key.
func loginOf(s proto.SetupSettings) (*code.Login, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(s.Key)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, home.NewProblem(err, "A certificate fits a code only with its key, on P-256.")
	}
	scalar, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("write the key into a code: %w", err)
	}
	return &code.Login{Chain: s.Chain, Key: scalar}, nil
}

// certificateOf returns the certificate in a text in PEM form; nil if the text is empty.
func certificateOf(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, home.NewProblem(nil, "The authority of the broker is no certificate in PEM form.")
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, home.NewProblem(nil, "The authority of the broker is several certificates, and a code has room for one. Name the one that signed the broker's.")
	}
	_, err := x509.ParseCertificate(block.Bytes)
	return block.Bytes, err
}

// CodePairing waits at a broker for the camera that is shown a code.
type CodePairing struct {
	conn     *broker.Conn
	messages <-chan broker.Message
	label    pairing.Label
	keys     *home.Keys
	broker   home.Broker
}

// StartCodePairing connects to the broker by which the camera of label will answer. It is
// called before the code is shown, so that no answer is lost.
func StartCodePairing(ctx context.Context, label pairing.Label, keys *home.Keys, b home.Broker, log *slog.Logger) (*CodePairing, error) {
	if err := errors.Join(b.Check(), b.CheckFor(keys.ID())); err != nil {
		return nil, err
	}
	conn, err := broker.Dial(ctx, b, label.Device, keys.ID(), log.With("component", "client"))
	if err != nil {
		return nil, err
	}
	return &CodePairing{conn: conn, messages: conn.Messages(), label: label, keys: keys, broker: b}, nil
}

// Close ends the connection.
func (p *CodePairing) Close() { p.conn.Close() }

// Wait waits until the camera says that it took the code. It believes nothing before
// the camera's identity key is found to be the label's. When ctx ends, the error says
// what can't be known from here. known is the record of an earlier pairing, or nil.
func (p *CodePairing) Wait(ctx context.Context, sealed Code, known *home.Record) (home.Record, error) {
	c := pairing.Client{Label: p.label, Sig: p.keys.Signer(), Enc: p.keys.Opener().PublicKey()}
	var unverified error
	for {
		m, ok := p.next(ctx)
		if !ok {
			return home.Record{}, p.explain(context.Cause(ctx), unverified)
		}
		if m.Topic != proto.TopicOut(p.label.Device, p.keys.ID()) {
			continue
		}
		paired, err := c.Confirmed(m.Payload, p.keys.Opener(), sealed.Hash())
		switch {
		case err == nil:
			return home.NewRecord(paired, p.label.Device, p.broker, known)
		case !errors.Is(err, pairing.ErrElse):
			unverified = err // whoever saw the code can send this, and the camera may still answer
		}
	}
}

// next returns the next message. At the end of ctx it returns one that is there already.
func (p *CodePairing) next(ctx context.Context) (m broker.Message, ok bool) {
	select {
	case m = <-p.messages:
		return m, true
	case <-ctx.Done():
	}
	select {
	case m = <-p.messages:
		return m, true
	default:
		return m, false
	}
}

// explain returns why there is no receipt.
func (p *CodePairing) explain(end, unverified error) error {
	switch {
	case errors.Is(end, context.Canceled):
		return end
	case errors.Is(unverified, pairing.ErrIdentity):
		return home.NewProblem(unverified, "Something at the broker %s knows the code that was shown, and it is not the camera on the label. Nothing is paired. Compare the label with the camera's, and show another code.", p.broker.URL)
	case unverified != nil:
		return home.NewProblem(unverified, "What answered at the broker %s can't be verified, so nothing is paired. Show another code.", p.broker.URL)
	}
	return home.NewProblem(end, "The camera has not answered at the broker %s, so nothing is paired yet. This computer can't know whether the camera read the code, or could not use it: look at its status LED. Open its pairing window again and show a new code; hold it still, a hand's width to an arm's length away.", p.broker.URL)
}
