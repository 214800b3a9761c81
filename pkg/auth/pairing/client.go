package pairing

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"io"
	"strings"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// maxChain bounds the certificates of a device's hello.
const maxChain = 4

// codeForm reports whether c looks like a code, those of later versions too. Without
// regexp, which would be in camd for this alone: 200 kB.
func codeForm(c proto.Code) bool {
	return len(c) >= 1 && len(c) <= 40 && strings.Trim(string(c), "abcdefghijklmnopqrstuvwxyz_") == ""
}

// Client is what the client's side needs.
type Client struct {
	Label Label
	Sig   crypto.Signer   // P-256
	Enc   *ecdh.PublicKey // P-256, another key than Sig's
	// Setup holds the conversation, until Talk.Set has returned nil; its error ends the
	// pairing. nil: nothing is set.
	Setup func(ctx context.Context, t *Talk) error

	random io.Reader // of the ephemeral key; nil but for test vectors
}

// Paired is what a client keeps after pairing.
type Paired struct {
	Identity   *ecdsa.PublicKey // the device's, checked against the label
	Chain      [][]byte         // DER; only the leaf's key was checked
	Owned      bool             // whether the device had an owner before
	Trio       envelope.Trio
	TrioJWS    []byte // the trio as the identity signed it
	Receipt    Receipt
	ReceiptJWS []byte // the receipt as the household signed it
}

// Initiate pairs with the device of c.Label. The device's identity key is checked
// before anything but the handshake's ephemeral key is sent. Errors: ErrSecret,
// ErrIdentity, ErrTampered, ErrProtocol, ErrAborted, a *proto.Refusal, or what c.Setup
// gave.
func Initiate(ctx context.Context, conn Conn, c Client) (Paired, error) {
	release := closeOnEnd(ctx, conn)
	defer release()
	p, err := c.initiate(ctx, conn)
	return p, explain(ctx, err)
}

func (c Client) initiate(ctx context.Context, conn Conn) (Paired, error) {
	key := c.key()
	keys, err := envelope.NewKeys(key)
	if err != nil {
		return Paired{}, err
	}
	psk, err := c.Label.Secret.psk(c.Label.Device)
	if err != nil {
		return Paired{}, fmt.Errorf("derive key: %w", err)
	}
	ch, err := dial(conn, psk, c.random)
	if err != nil {
		return Paired{}, err
	}
	p, err := c.readHello(ch)
	if err != nil {
		return Paired{}, err
	}
	if err := c.show(ch, keys, key.ClientID()); err != nil {
		return Paired{}, err
	}
	talk := &Talk{ch: ch, p: &p, self: key.ClientID()}
	if c.Setup == nil {
		err = talk.Set(proto.SetupSettings{}, nil)
	} else {
		err = c.Setup(ctx, talk)
	}
	if err != nil {
		return Paired{}, err
	}
	if !talk.settled {
		return Paired{}, fmt.Errorf("%w: the client set nothing", ErrAborted)
	}
	return p, nil
}

// key returns the client's public keys.
func (c Client) key() envelope.PublicKey {
	sig, _ := c.Sig.Public().(*ecdsa.PublicKey)
	return envelope.PublicKey{Sig: sig, Enc: c.Enc}
}

// readHello checks who is there, the identity key first. docs/protocol.md 3.6.
func (c Client) readHello(ch *channel) (Paired, error) {
	m, err := ch.read(messageDevice)
	if err != nil {
		return Paired{}, err
	}
	return c.verifyHello([]byte(m.JWS), typeDevice, ch.h)
}

func (c Client) verifyHello(jws []byte, typ, h string) (Paired, error) {
	identity, err := c.identify(jws, typ)
	if err != nil {
		return Paired{}, err
	}
	var claims deviceClaims
	if err := envelope.Verify(jws, typ, "", identity, &claims); err != nil {
		return Paired{}, tampered(err)
	}
	if err := sameHash(h, claims.Hash); err != nil {
		return Paired{}, err
	}
	trio, err := envelope.VerifyTrio([]byte(claims.Trio), identity)
	if err != nil {
		return Paired{}, tampered(err)
	}
	if claims.Device != c.Label.Device || trio.Device != claims.Device || trio.Epoch != claims.Epoch {
		return Paired{}, fmt.Errorf("%w: hello and trio name different devices or epochs", ErrTampered)
	}
	return Paired{Identity: identity, Chain: claims.Chain, Owned: claims.Owned,
		Trio: trio, TrioJWS: []byte(claims.Trio)}, nil
}

// identify takes the identity key out of a hello that is not verified yet, and
// holds it against the label.
func (c Client) identify(hello []byte, typ string) (*ecdsa.PublicKey, error) {
	var claims deviceClaims
	if err := envelope.Peek(hello, typ, &claims); err != nil {
		return nil, tampered(err)
	}
	if len(claims.Chain) == 0 || len(claims.Chain) > maxChain {
		return nil, fmt.Errorf("%w: %d certificates", ErrProtocol, len(claims.Chain))
	}
	leaf, err := x509.ParseCertificate(claims.Chain[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || !c.Label.matches(leaf.RawSubjectPublicKeyInfo) {
		return nil, ErrIdentity
	}
	return key, nil
}

// show sends the client's keys. docs/protocol.md 3.7.
func (c Client) show(ch *channel, keys envelope.Keys, id proto.ClientID) error {
	jws, err := envelope.Sign(typeClient, string(id), clientClaims{Hash: ch.h, Keys: keys}, c.Sig)
	if err != nil {
		return err
	}
	card, err := envelope.NewKeyCard(c.Sig, c.Enc)
	if err != nil {
		return err
	}
	return ch.write(message{Type: messageClient, JWS: string(jws), Card: string(card)})
}

// readReceipt takes the device's last word. docs/protocol.md 3.8.
func (p *Paired) readReceipt(jws []byte, h string, self proto.ClientID) error {
	p.ReceiptJWS = jws
	var claims receiptClaims
	if err := envelope.Verify(p.ReceiptJWS, typeReceipt, "", p.Trio.Sig, &claims); err != nil {
		return tampered(err)
	}
	if err := sameHash(h, claims.Hash); err != nil {
		return err
	}
	p.Receipt = claims.Receipt
	if p.Receipt.Device != p.Trio.Device || p.Receipt.Client != self || p.Receipt.Epoch != p.Trio.Epoch {
		return fmt.Errorf("%w: receipt of another device, client or epoch", ErrTampered)
	}
	return nil
}
