package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/code"
)

// Code is what a camera reads with its lens.
type Code = code.Sealed

// NewCode makes the code by which the camera of label lets this client in, and sets itself
// up with s; what s leaves out stays as it is there. docs/protocol.md 3.12.
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

// loginOf is the certificate that was made for the camera, and its key.
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

// certificateOf is the one certificate in a text in PEM form; nil if the text is empty.
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

// Awaiting is a connection to a broker on which a client waits for the camera that it
// shows a code to.
type Awaiting struct {
	camera *Camera // of which only the connection is used
	label  pairing.Label
	keys   *home.Keys
	broker home.Broker
}

// Await connects to the broker by which the camera of label will answer, so that nothing it
// says is lost, and before anything is shown.
func Await(ctx context.Context, label pairing.Label, keys *home.Keys, broker home.Broker, log *slog.Logger) (*Awaiting, error) {
	if err := errors.Join(broker.Check(), broker.CheckFor(keys.ID())); err != nil {
		return nil, err
	}
	cfg, err := tlsConfig(broker)
	if err != nil {
		return nil, err
	}
	c := &Camera{record: home.Record{Device: label.Device, Broker: broker}, keys: keys, log: log.With("component", "client"),
		inbound: make(chan inbound, inboundQueue), subscribed: make(chan error, 1)}
	c.mqtt = mqtt.NewClient(c.options(cfg)) //nolint:contextcheck // it reconnects after ctx
	a := &Awaiting{camera: c, label: label, keys: keys, broker: broker}
	if err := c.connect(ctx); err != nil {
		a.Close()
		if why := c.malformed.Load(); why != nil {
			err = *why
		}
		return nil, explainDial(broker, err)
	}
	return a, nil
}

// Close ends the connection.
func (a *Awaiting) Close() { a.camera.mqtt.Disconnect(disconnectMS) }

// Receipt waits for the camera to say that it took the code. Nothing is kept and nothing
// counts before its identity key was found to be the label's. When ctx ends the error says
// what can't be told from here. known is the record of an earlier pairing, or nil.
func (a *Awaiting) Receipt(ctx context.Context, sealed Code, known *home.Record) (home.Record, error) {
	c := pairing.Client{Label: a.label, Sig: a.keys.Signer(), Enc: a.keys.Opener().PublicKey()}
	var strange error
	for {
		m, ok := a.next(ctx)
		if !ok {
			return home.Record{}, a.unanswered(context.Cause(ctx), strange)
		}
		if m.topic != proto.TopicOut(a.label.Device, a.keys.ID()) {
			continue
		}
		p, err := c.Confirmed(m.payload, a.keys.Opener(), sealed.Hash())
		switch {
		case err == nil:
			return home.NewRecord(p, a.label.Device, a.broker, known)
		case !errors.Is(err, pairing.ErrElse):
			strange = err // whoever saw the code can say so, and the camera may still come
		}
	}
}

// next returns the next message. What is there at the end of ctx is looked at yet.
func (a *Awaiting) next(ctx context.Context) (m inbound, ok bool) {
	select {
	case m = <-a.camera.inbound:
		return m, true
	case <-ctx.Done():
	}
	select {
	case m = <-a.camera.inbound:
		return m, true
	default:
		return m, false
	}
}

// unanswered says what is not known.
func (a *Awaiting) unanswered(end, strange error) error {
	switch {
	case errors.Is(end, context.Canceled):
		return end
	case errors.Is(strange, pairing.ErrIdentity):
		return home.NewProblem(strange, "Something at the broker %s knows the code that was shown, and it is not the camera on the label. Nothing is paired. Compare the label with the camera's, and show another code.", a.broker.URL)
	case strange != nil:
		return home.NewProblem(strange, "What answered at the broker %s can't be verified, so nothing is paired. Show another code.", a.broker.URL)
	}
	return home.NewProblem(end, "The camera has not answered at the broker %s, so nothing is paired yet. This computer can't know whether the camera read the code, or could not use it: look at its status LED. Open its pairing window again and show a new code; hold it still, a hand's width to an arm's length away.", a.broker.URL)
}
