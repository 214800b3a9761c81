package pairing

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// isTyped: every failure must be one that the window can count.
func isTyped(err error) bool {
	for _, e := range []error{ErrSecret, ErrIdentity, ErrTampered, ErrProtocol, ErrAborted} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// stream reads what the fuzzer made and forgets what is written.
type stream struct {
	io.Reader
	io.Writer
}

func framesOf(data []byte) Conn { return NewFramed(stream{bytes.NewReader(data), io.Discard}) }

func FuzzDeviceFrames(f *testing.F) {
	d := newDevice(f, "device identity")
	o := pair(f, d, newClient(f), nil, nil)
	var all bytes.Buffer
	for _, m := range o.fromClient {
		if err := NewFramed(&all).WriteMessage(m); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(all.Bytes())
	f.Add([]byte{0, 0, 0, handshakeSize})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := Respond(t.Context(), framesOf(data), d); !isTyped(err) {
			t.Fatalf("Respond = %v", err)
		}
	})
}

func FuzzClientFrames(f *testing.F) {
	c := newClient(f)
	o := pair(f, newDevice(f, "device identity"), c, nil, nil)
	var all bytes.Buffer
	for _, m := range o.fromDevice {
		if err := NewFramed(&all).WriteMessage(m); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(all.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := Initiate(t.Context(), framesOf(data), c); !isTyped(err) {
			t.Fatalf("Initiate = %v", err)
		}
	})
}

// plain is a peer that decrypts to what the fuzzer made.
type plain struct{ text []byte }

func (p *plain) sessions(t testing.TB) (peer, own *channel) {
	t.Helper()
	var fromPeer, fromOwn bytes.Buffer
	psk := make([]byte, 32)
	initiator, err := newHandshake(true, psk, nil)
	if err != nil {
		t.Fatal(err)
	}
	responder, err := newHandshake(false, psk, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _, err := initiator.WriteMessage(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := responder.ReadMessage(nil, first); err != nil {
		t.Fatal(err)
	}
	second, a, b, err := responder.WriteMessage(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, x, y, err := initiator.ReadMessage(nil, second)
	if err != nil {
		t.Fatal(err)
	}
	peer = newChannel(NewFramed(stream{&fromOwn, &fromPeer}), initiator, x, y)
	own = newChannel(NewFramed(stream{&fromPeer, &fromOwn}), responder, b, a)
	const tag = 16 // bytes that AES-GCM adds; what is larger is no message
	sealed, err := peer.send.Encrypt(nil, nil, p.text[:min(len(p.text), proto.MaxMessage-tag)])
	if err != nil {
		t.Fatal(err)
	}
	if err := peer.conn.WriteMessage(sealed); err != nil {
		t.Fatal(err)
	}
	return peer, own
}

// acceptsNothing sees to it that what is to be tried was checked.
type acceptsNothing struct{ t *testing.T }

func (acceptsNothing) Ask(context.Context, envelope.PublicKey, proto.SetupAsk) (proto.SetupReply, error) {
	return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeFixed}
}

func (a acceptsNothing) Apply(_ context.Context, _ envelope.PublicKey, _ []byte, s proto.SetupSettings, _ func(proto.SetupStep)) (Receipt, error) {
	if err := s.Check(); err != nil || s.Empty() {
		a.t.Fatalf("%+v is to be tried: %v", s, err)
	}
	return Receipt{}, &proto.SetupProblem{Code: proto.CodeFixed}
}

// FuzzClientMessage is what a device reads from one who holds the secret.
func FuzzClientMessage(f *testing.F) {
	f.Add([]byte(`{"t":"client","jws":"e30.e30.","card":""}`))
	f.Add([]byte(`{"t":"client","T":"settings"}`))
	f.Add([]byte(`{"t":"ask","ask":{"do":"networks"}}`))
	f.Add([]byte(`{"t":"settings","settings":{"wifi":{"ssid":"SG9tZQ","password":"12345678"},"broker":{"url":"mqtts://b"},"chain":["MQ=="],"est":{"url":"https://e"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, own := (&plain{text}).sessions(t)
		if key, _, err := readClient(own); !isTyped(err) {
			t.Fatalf("readClient = %+v, %v", key, err)
		}
		_, own = (&plain{text}).sessions(t)
		d := Device{Setup: acceptsNothing{t}, Enroll: func(context.Context, envelope.PublicKey, []byte) (Receipt, error) {
			return Receipt{}, proto.Refuse(proto.CodeOwned)
		}}
		var refusal *proto.Refusal
		if _, err := d.converse(t.Context(), own, envelope.PublicKey{}, nil); !isTyped(err) && !errors.As(err, &refusal) {
			t.Fatalf("converse = %v", err)
		}
	})
}

// FuzzDeviceMessage is what a client reads from one who holds the secret.
func FuzzDeviceMessage(f *testing.F) {
	c := newClient(f)
	o := pair(f, newDevice(f, "device identity"), c, nil, nil)
	f.Add([]byte(`{"t":"device","jws":"` + string(o.paired.ReceiptJWS) + `"}`))
	f.Add([]byte(`{"t":"refusal","code":"owned"}`))
	f.Add([]byte(`{"t":"problem","code":"wifi_password","sentence":"No."}`))
	f.Add([]byte(`{"t":"progress","step":"wifi"}`))
	f.Add([]byte(`{"t":"reply","reply":{"networks":[{"ssid":"SG9tZQ","security":"wpa2","signal":-61,"band":"2.4"}]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, own := (&plain{text}).sessions(t)
		if p, err := c.readHello(own); !isTyped(err) {
			t.Fatalf("readHello = %+v, %v", p, err)
		}
		_, own = (&plain{text}).sessions(t)
		p := o.paired
		var refusal *proto.Refusal
		var problem *proto.SetupProblem
		talk := &Talk{ch: own, p: &p, self: p.Receipt.Client}
		if err := talk.Set(proto.SetupSettings{}, nil); !isTyped(err) && !errors.As(err, &refusal) && !errors.As(err, &problem) {
			t.Fatalf("Set = %+v, %v", p, err)
		}
		_, own = (&plain{text}).sessions(t)
		talk = &Talk{ch: own, p: &p, self: p.Receipt.Client}
		if _, err := talk.Ask(proto.SetupDoNetworks); err != nil && !isTyped(err) && !errors.As(err, &refusal) && !errors.As(err, &problem) {
			t.Fatalf("Ask = %v", err)
		}
	})
}

func FuzzParseLabel(f *testing.F) {
	f.Add(newClient(f).Label.Text())
	f.Add("CAMD:1?d=&s=&k=")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLabel(text)
		if err != nil && !errors.Is(err, ErrLabel) {
			t.Fatalf("untyped: %v", err)
		}
		if again, againErr := ParseLabel(l.Text()); err == nil && (againErr != nil || again != l) {
			t.Fatalf("%q reads as %+v, then as %+v, %v", text, l, again, againErr)
		}
	})
}

func FuzzParseTyped(f *testing.F) {
	f.Add(newClient(f).Label.TypedText())
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseTyped(testDevice, text)
		if err != nil && !errors.Is(err, ErrLabel) {
			t.Fatalf("untyped: %v", err)
		}
		if err == nil && l.Secret == (Secret{}) {
			t.Fatal("label without a secret")
		}
	})
}

// The hello is read before its signature is: its certificate may be anything.
func FuzzHelloCertificate(f *testing.F) {
	c, impostor := newClient(f), sigKey(f, "impostor")
	f.Add(certificate(f, impostor))
	f.Fuzz(func(t *testing.T, der []byte) {
		jws, err := envelope.Sign(typeDevice, "", deviceClaims{Chain: [][]byte{der}}, impostor)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := c.identify(jws, typeDevice); !isTyped(err) {
			t.Fatalf("identify = %+v, %v", key, err)
		}
	})
}
