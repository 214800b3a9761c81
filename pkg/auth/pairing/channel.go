package pairing

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/flynn/noise"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	prologue      = "camd-pair-v1"
	tagLen        = 16 // AES-GCM's
	handshakeSize = 32 + tagLen
)

// channel is a Noise session over conn: its two handshake messages are done, and
// what follows is encrypted.
type channel struct {
	conn    Conn
	send    *noise.CipherState
	receive *noise.CipherState
	h       string // the handshake hash, base64url; binds every JWS to this session
}

func newHandshake(initiator bool, psk []byte, random io.Reader) (*noise.HandshakeState, error) {
	return noise.NewHandshakeState(noise.Config{
		CipherSuite:  noise.NewCipherSuite(noise.DH25519, noise.CipherAESGCM, noise.HashSHA256),
		Pattern:      noise.HandshakeNN,
		Initiator:    initiator,
		Prologue:     []byte(prologue),
		PresharedKey: psk, // placement 0: the first message is authenticated already
		Random:       random,
	})
}

// accept is the device's side of the handshake. docs/protocol.md 3.4.
func accept(conn Conn, psk []byte, random io.Reader) (*channel, error) {
	hs, err := newHandshake(false, psk, random)
	if err != nil {
		return nil, fmt.Errorf("prepare handshake: %w", err)
	}
	if _, _, err := readHandshake(conn, hs); err != nil {
		return nil, err
	}
	msg, fromClient, toClient, err := hs.WriteMessage(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	if err := conn.WriteMessage(msg); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAborted, err)
	}
	return newChannel(conn, hs, toClient, fromClient), nil
}

// dial is the client's side of the handshake.
func dial(conn Conn, psk []byte, random io.Reader) (*channel, error) {
	hs, err := newHandshake(true, psk, random)
	if err != nil {
		return nil, fmt.Errorf("prepare handshake: %w", err)
	}
	msg, _, _, err := hs.WriteMessage(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("begin handshake: %w", err)
	}
	if err := conn.WriteMessage(msg); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAborted, err)
	}
	toDevice, fromDevice, err := readHandshake(conn, hs)
	if err != nil {
		return nil, err
	}
	return newChannel(conn, hs, toDevice, fromDevice), nil
}

func newChannel(conn Conn, hs *noise.HandshakeState, send, receive *noise.CipherState) *channel {
	return &channel{conn: conn, send: send, receive: receive,
		h: base64.RawURLEncoding.EncodeToString(hs.ChannelBinding())}
}

func readHandshake(conn Conn, hs *noise.HandshakeState) (*noise.CipherState, *noise.CipherState, error) {
	msg, err := read(conn)
	if err != nil {
		return nil, nil, err
	}
	// Exactly a key and a tag: handshake messages carry no payload.
	if len(msg) != handshakeSize {
		return nil, nil, fmt.Errorf("%w: handshake message of %d bytes", ErrProtocol, len(msg))
	}
	_, first, second, err := hs.ReadMessage(nil, msg)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrSecret, err)
	}
	return first, second, nil
}

// read takes one message, and translates errors of the transport.
func read(conn Conn) ([]byte, error) {
	msg, err := conn.ReadMessage()
	switch {
	case errors.Is(err, ErrProtocol):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrAborted, err)
	case len(msg) > proto.MaxMessage:
		return nil, fmt.Errorf("%w: message of %d bytes", ErrProtocol, len(msg))
	}
	return msg, nil
}

// message is the plaintext of every transport message. docs/protocol.md 3.5.
type message struct {
	Type     messageType          `json:"t"`
	JWS      string               `json:"jws,omitempty"`
	Card     string               `json:"card,omitempty"`
	Ask      *proto.SetupAsk      `json:"ask,omitempty"`
	Reply    *proto.SetupReply    `json:"reply,omitempty"`
	Settings *proto.SetupSettings `json:"settings,omitempty"`
	Step     proto.SetupStep      `json:"step,omitempty"`
	Code     proto.Code           `json:"code,omitempty"`
	Sentence string               `json:"sentence,omitempty"`
}

type messageType string

const (
	messageDevice   messageType = "device"
	messageClient   messageType = "client"
	messageAsk      messageType = "ask"
	messageReply    messageType = "reply"
	messageSettings messageType = "settings"
	messageProgress messageType = "progress"
	messageProblem  messageType = "problem"
	messageReceipt  messageType = "receipt"
	messageRefusal  messageType = "refusal"
)

func (c *channel) write(m message) error {
	plain, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write %s message: %w", m.Type, err)
	}
	if len(plain)+tagLen > proto.MaxMessage {
		return fmt.Errorf("%w: %s message of %d bytes", ErrProtocol, m.Type, len(plain))
	}
	sealed, err := c.send.Encrypt(nil, nil, plain)
	if err != nil {
		return fmt.Errorf("encrypt %s message: %w", m.Type, err)
	}
	if err := c.conn.WriteMessage(sealed); err != nil {
		return fmt.Errorf("%w: %w", ErrAborted, err)
	}
	return nil
}

// read takes the next message, which must be of one of these types.
func (c *channel) read(types ...messageType) (message, error) {
	sealed, err := read(c.conn)
	if err != nil {
		return message{}, err
	}
	plain, err := c.receive.Decrypt(nil, nil, sealed)
	if err != nil {
		return message{}, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	var m message
	if err := envelope.Decode(plain, &m); err != nil {
		return message{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	for _, t := range types {
		if m.Type == t {
			return m, nil
		}
	}
	return message{}, fmt.Errorf("%w: got %.20q, want %q", ErrProtocol, m.Type, types)
}

// closeOnEnd closes conn when ctx ends, so that a blocked read returns. The
// function that it gives back waits for that close if it has begun.
func closeOnEnd(ctx context.Context, conn Conn) (release func()) {
	closer, ok := conn.(io.Closer)
	if !ok {
		return func() {}
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = closer.Close() // the read or write that it ends reports
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// explain puts the end of ctx above the error of the read that it ended.
func explain(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && errors.Is(err, ErrAborted) {
		return fmt.Errorf("%w: %w", ErrAborted, ctx.Err())
	}
	return err
}
