package pairing

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// Device is what the device's side needs.
type Device struct {
	ID        proto.DeviceID
	Secret    Secret
	Identity  crypto.Signer // P-256
	Chain     [][]byte      // DER certificates, leaf first; the leaf holds Identity's key
	Trio      []byte        // signed by Identity for Epoch
	Epoch     uint64
	Household crypto.Signer // hhSig of Epoch
	Owned     bool          // whether anyone is enrolled
	// Enroll decides about a key that its holder has shown, and stores it durably
	// before it returns; card is its key card, to be kept verbatim. A key that is
	// enrolled gets its receipt again. A *proto.Refusal reaches the client as its
	// code, any other error as proto.CodeInternal.
	Enroll func(ctx context.Context, key envelope.PublicKey, card []byte) (Receipt, error)
	Setup  Setup  // nil: nothing can be asked or set
	Begun  func() // called when the client has shown that it knows the secret; may be nil

	random io.Reader // of the ephemeral key; nil but for test vectors
}

// Respond takes one client through the pairing and returns the receipt that it
// got. Errors: ErrSecret, ErrTampered, ErrProtocol, ErrAborted, or what Enroll or Setup
// gave. If sending the receipt fails, the client is enrolled nevertheless and gets
// the receipt when it pairs again.
func Respond(ctx context.Context, conn Conn, d Device) (Receipt, error) {
	release := closeOnEnd(ctx, conn)
	defer release()
	r, err := d.respond(ctx, conn)
	return r, explain(ctx, err)
}

func (d Device) respond(ctx context.Context, conn Conn) (Receipt, error) {
	psk, err := d.Secret.psk(d.ID)
	if err != nil {
		return Receipt{}, fmt.Errorf("derive key: %w", err)
	}
	c, err := greet(ctx, conn, psk, d.random)
	if err != nil {
		return Receipt{}, err
	}
	if d.Begun != nil {
		d.Begun()
	}
	// The hello proves who the device is, within this session. docs/protocol.md 3.6.
	jws, err := envelope.Sign(typeDevice, "", d.claims(c.h), d.Identity)
	if err != nil {
		return Receipt{}, err
	}
	if err := c.write(message{Type: messageDevice, JWS: string(jws)}); err != nil {
		return Receipt{}, err
	}
	key, card, err := readClient(c)
	if err != nil {
		return Receipt{}, err
	}
	return d.converse(ctx, c, key, card)
}

// FirstPatience is how long a device waits for the first message of a client. It needs
// no person, and proves that the client holds the label's secret: whoever has nothing to
// show keeps nobody else from pairing for longer. docs/protocol.md 3.4.4.
const FirstPatience = 5 * time.Second

// greet takes the handshake, whose first message must come soon.
func greet(ctx context.Context, conn Conn, psk []byte, random io.Reader) (*channel, error) {
	ctx, cancel := context.WithTimeout(ctx, FirstPatience)
	defer cancel()
	release := closeOnEnd(ctx, conn)
	c, err := accept(conn, psk, random)
	release()
	return c, explain(ctx, err)
}

func (d Device) claims(h string) deviceClaims {
	return deviceClaims{Hash: h, Device: d.ID, Chain: d.Chain, Trio: string(d.Trio), Epoch: d.Epoch, Owned: d.Owned}
}

// readClient takes the client's keys: the JWS proves that it holds the signing
// key now, the card is what is kept. docs/protocol.md 3.7.
func readClient(c *channel) (envelope.PublicKey, []byte, error) {
	m, err := c.read(messageClient)
	if err != nil {
		return envelope.PublicKey{}, nil, err
	}
	var claims clientClaims
	key, err := envelope.VerifyOwn([]byte(m.JWS), typeClient, &claims)
	if err != nil {
		return envelope.PublicKey{}, nil, tampered(err)
	}
	if err := sameHash(c.h, claims.Hash); err != nil {
		return envelope.PublicKey{}, nil, err
	}
	card := []byte(m.Card)
	shown, err := envelope.VerifyKeyCard(card)
	if err != nil {
		return envelope.PublicKey{}, nil, tampered(err)
	}
	if !shown.Equal(key) {
		return envelope.PublicKey{}, nil, fmt.Errorf("%w: key card is of another key", ErrTampered)
	}
	return key, card, nil
}

// confirm gives a client that is enrolled its receipt.
func (d Device) confirm(c *channel, key envelope.PublicKey, r Receipt) (Receipt, error) {
	r.Device, r.Client, r.Epoch = d.ID, key.ClientID(), d.Epoch
	jws, err := d.receipt(c.h, key, r)
	if err != nil {
		return r, err
	}
	return r, c.write(message{Type: messageReceipt, JWS: string(jws)})
}

func (d Device) receipt(h string, key envelope.PublicKey, r Receipt) ([]byte, error) {
	r.Device, r.Client, r.Epoch = d.ID, key.ClientID(), d.Epoch
	return envelope.Sign(typeReceipt, "", receiptClaims{Hash: h, Receipt: r}, d.Household)
}

// refuse sends the client a code, and never the cause.
func refuse(c *channel, cause error) error {
	code := proto.CodeInternal
	var refusal *proto.Refusal
	if errors.As(cause, &refusal) {
		code = refusal.Code
	}
	return c.write(message{Type: messageRefusal, Code: code, Sentence: code.Sentence()})
}

// tampered files an envelope's error among this package's.
func tampered(err error) error {
	if errors.Is(err, envelope.ErrGarbled) || errors.Is(err, envelope.ErrOversized) {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return fmt.Errorf("%w: %w", ErrTampered, err)
}
