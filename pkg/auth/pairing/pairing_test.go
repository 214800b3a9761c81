package pairing

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

func TestPairing(t *testing.T) {
	d, c := newDevice(t, "device identity"), newClient(t)
	var enrolled envelope.PublicKey
	var card []byte
	enroll := d.Enroll
	d.Enroll = func(ctx context.Context, key envelope.PublicKey, kept []byte) (Receipt, error) {
		enrolled, card = key, kept
		return enroll(ctx, key, kept)
	}
	o := pair(t, d, c, nil, nil)
	if o.clientErr != nil || o.deviceErr != nil {
		t.Fatalf("client %v, device %v", o.clientErr, o.deviceErr)
	}
	kept, err := envelope.VerifyKeyCard(card)
	if err != nil || !kept.Equal(enrolled) || !enrolled.Enc.Equal(c.Enc) {
		t.Errorf("enrolled %+v with card of %+v, %v", enrolled, kept, err)
	}
	want := Receipt{Device: testDevice, Client: enrolled.ClientID(), Epoch: 3, Role: proto.RoleOwner, Name: "Anna", Broker: testBroker}
	if o.receipt != want || o.paired.Receipt != want {
		t.Errorf("receipts %+v and %+v, want %+v", o.receipt, o.paired.Receipt, want)
	}
	if p := o.paired; p.Trio.Device != testDevice || p.Trio.Epoch != 3 || p.Owned || !p.Identity.Equal(d.Identity.Public()) {
		t.Errorf("paired %+v", p)
	}
	if _, err := envelope.VerifyTrio(o.paired.TrioJWS, o.paired.Identity); err != nil {
		t.Errorf("kept trio: %v", err)
	}
}

func TestTypedLabel(t *testing.T) {
	c := newClient(t)
	typed, err := ParseTyped(testDevice, strings.ToUpper(c.Label.TypedText()))
	if err != nil {
		t.Fatal(err)
	}
	c.Label = typed
	if o := pair(t, newDevice(t, "device identity"), c, nil, nil); o.clientErr != nil {
		t.Fatalf("right camera: %v", o.clientErr)
	}
	if o := pair(t, newDevice(t, "impostor"), c, nil, nil); !errors.Is(o.clientErr, ErrIdentity) || len(o.fromClient) != 1 {
		t.Fatalf("impostor: %v after %d messages", o.clientErr, len(o.fromClient))
	}
	if c.Label, err = ParseTyped(proto.NewDeviceID(), typedText(c.Label)); err != nil {
		t.Fatal(err)
	}
	if o := pair(t, newDevice(t, "device identity"), c, nil, nil); !errors.Is(o.deviceErr, ErrSecret) {
		t.Fatalf("lied device id: %v, want ErrSecret", o.deviceErr)
	}
}

// typedText is TypedText of a label that was typed itself.
func typedText(l Label) string { return labelBase32.EncodeToString(l.Secret[:]) + l.typed }

func TestWrongSecretIsRefusedAtTheFirstMessage(t *testing.T) {
	c := newClient(t)
	c.Label.Secret[0]++
	o := pair(t, newDevice(t, "device identity"), c, nil, nil)
	if !errors.Is(o.deviceErr, ErrSecret) || len(o.fromDevice) != 0 {
		t.Errorf("device: %v after %d messages, want ErrSecret after none", o.deviceErr, len(o.fromDevice))
	}
	if !errors.Is(o.clientErr, ErrAborted) {
		t.Errorf("client: %v, want ErrAborted", o.clientErr)
	}
}

// T11: someone in the middle who knows the label's secret, but has another
// identity key. The client has sent its ephemeral key and nothing else.
func TestT11ClientAbortsBeforeItSendsAnythingOfItsOwn(t *testing.T) {
	o := pair(t, newDevice(t, "impostor"), newClient(t), nil, nil)
	if !errors.Is(o.clientErr, ErrIdentity) || !errors.Is(o.deviceErr, ErrAborted) {
		t.Errorf("client %v, device %v; want ErrIdentity, ErrAborted", o.clientErr, o.deviceErr)
	}
	if len(o.fromClient) != 1 || len(o.fromClient[0]) != handshakeSize {
		t.Errorf("client sent %d messages: %x", len(o.fromClient), o.fromClient)
	}
}

// T11 again: the impostor shows the real certificate and signs by its own key, or
// passes on the real device's hello of another session.
func TestT11BorrowedProofs(t *testing.T) {
	genuine, c := newDevice(t, "device identity"), newClient(t)
	borrowed := newDevice(t, "impostor")
	borrowed.Chain, borrowed.Trio = genuine.Chain, genuine.Trio
	if o := pair(t, borrowed, c, nil, nil); !errors.Is(o.clientErr, ErrTampered) || len(o.fromClient) != 1 {
		t.Errorf("borrowed certificate: %v after %d messages", o.clientErr, len(o.fromClient))
	}
	hello, err := envelope.Sign(typeDevice, "", deviceClaims{Hash: "another session's", Device: genuine.ID,
		Chain: genuine.Chain, Trio: string(genuine.Trio), Epoch: 3}, genuine.Identity)
	if err != nil {
		t.Fatal(err)
	}
	if err := asDevice(t, c, message{Type: messageDevice, JWS: string(hello)}); !errors.Is(err, ErrTampered) {
		t.Errorf("transplanted hello: %v, want ErrTampered", err)
	}
}

func TestClientRefusesHello(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Device)
		want   error
	}{
		"no certificate":       {func(d *Device) { d.Chain = nil }, ErrProtocol},
		"too many":             {func(d *Device) { d.Chain = append(d.Chain, nil, nil, nil, nil) }, ErrProtocol},
		"no DER":               {func(d *Device) { d.Chain = [][]byte{{1}} }, ErrProtocol},
		"another epoch":        {func(d *Device) { d.Epoch = 4 }, ErrTampered},
		"trio of another":      {func(d *Device) { d.Trio = newDevice(t, "impostor").Trio }, ErrTampered},
		"no trio":              {func(d *Device) { d.Trio = nil }, ErrProtocol},
		"household of another": {func(d *Device) { d.Household = sigKey(t, "impostor") }, ErrTampered},
	} {
		d := newDevice(t, "device identity")
		tc.change(&d)
		o := pair(t, d, newClient(t), nil, nil)
		if !errors.Is(o.clientErr, tc.want) || o.paired.Identity != nil {
			t.Errorf("%s: %v, %+v; want %v", name, o.clientErr, o.paired, tc.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for code, enroll := range map[proto.Code]error{
		proto.CodeOwned:        proto.Refuse(proto.CodeOwned),
		proto.CodeWindowClosed: proto.Refuse(proto.CodeWindowClosed),
		proto.CodeInternal:     errors.New("disk on fire"),
	} {
		d := newDevice(t, "device identity")
		d.Owned = true
		d.Enroll = func(context.Context, envelope.PublicKey, []byte) (Receipt, error) { return Receipt{}, enroll }
		o := pair(t, d, newClient(t), nil, nil)
		var refusal *proto.Refusal
		if !errors.As(o.clientErr, &refusal) || refusal.Code != code || Sentence(o.clientErr) != code.Sentence() {
			t.Errorf("client: %v, want %s", o.clientErr, code)
		}
		if !errors.Is(o.deviceErr, enroll) {
			t.Errorf("device: %v, want %v", o.deviceErr, enroll)
		}
	}
}

// Every message, changed on the way, cut, or replaced by junk.
func TestTampering(t *testing.T) {
	flip := func(m []byte) []byte { m[len(m)-1] ^= 1; return m }
	cut := func(m []byte) []byte { return m[:len(m)-1] }
	huge := func([]byte) []byte { return make([]byte, proto.MaxMessage+1) }
	on := func(n int, change func([]byte) []byte) func(Conn) Conn {
		return func(c Conn) Conn { return &tamper{Conn: c, n: n, change: change} }
	}
	for _, tc := range []struct {
		name   string
		n      int
		change func([]byte) []byte
		device error // when what the device reads is changed
		client error // when what the client reads is changed
	}{
		{"first changed", 1, flip, ErrSecret, ErrSecret},
		{"first cut", 1, cut, ErrProtocol, ErrProtocol},
		{"first oversized", 1, huge, ErrProtocol, ErrProtocol},
		{"second changed", 2, flip, ErrTampered, ErrTampered},
		{"second cut", 2, cut, ErrTampered, ErrTampered},
		{"second oversized", 2, huge, ErrProtocol, ErrProtocol},
		{"third changed", 3, flip, ErrTampered, ErrTampered},
	} {
		o := pair(t, newDevice(t, "device identity"), newClient(t), on(tc.n, tc.change), nil)
		if !errors.Is(o.deviceErr, tc.device) || o.receipt != (Receipt{}) {
			t.Errorf("to the device, %s: %v, want %v", tc.name, o.deviceErr, tc.device)
		}
		o = pair(t, newDevice(t, "device identity"), newClient(t), nil, on(tc.n, tc.change))
		if !errors.Is(o.clientErr, tc.client) {
			t.Errorf("to the client, %s: %v, want %v", tc.name, o.clientErr, tc.client)
		}
	}
}

// A client that holds the secret but breaks the rules after the handshake.
func TestDeviceRefusesClient(t *testing.T) {
	own := func(hash string) message {
		return clientMessage(t, "client signing", "client signing", hash)
	}
	for name, tc := range map[string]struct {
		send func(c *channel) []message
		want error
	}{
		"transplanted":       {func(*channel) []message { return []message{own("another session's")} }, ErrTampered},
		"card of another":    {func(c *channel) []message { return []message{clientMessage(t, "client signing", "impostor", c.h)} }, ErrTampered},
		"no card":            {func(c *channel) []message { m := own(c.h); m.Card = ""; return []message{m} }, ErrProtocol},
		"no JWS":             {func(c *channel) []message { m := own(c.h); m.JWS = ""; return []message{m} }, ErrProtocol},
		"card as JWS":        {func(c *channel) []message { m := own(c.h); m.JWS = m.Card; return []message{m} }, ErrProtocol},
		"settings first":     {func(*channel) []message { return []message{{Type: messageSettings}} }, ErrProtocol},
		"client twice":       {func(c *channel) []message { return []message{own(c.h), own(c.h)} }, ErrProtocol},
		"receipt by itself":  {func(*channel) []message { return []message{{Type: messageReceipt}} }, ErrProtocol},
		"goes after its key": {func(c *channel) []message { return []message{own(c.h)} }, ErrAborted},
	} {
		d := newDevice(t, "device identity")
		d.Enroll = func(context.Context, envelope.PublicKey, []byte) (Receipt, error) {
			t.Errorf("%s: enrolled", name)
			return Receipt{}, nil
		}
		if err := asClient(t, d, tc.send); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestClientRefusesOddMessages(t *testing.T) {
	for name, m := range map[string]message{
		"refusal before hello": {Type: messageRefusal, Code: proto.CodeOwned},
		"receipt before hello": {Type: messageReceipt},
		"unknown type":         {Type: "later"},
		"empty hello":          {Type: messageDevice},
	} {
		if err := asDevice(t, newClient(t), m); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", name, err)
		}
	}
	if err := asDevice(t, newClient(t)); !errors.Is(err, ErrAborted) {
		t.Errorf("silent device: %v, want ErrAborted", err)
	}
}

func TestEndOfContextEndsABlockedRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deviceEnd, clientEnd := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		d := newDevice(t, "device identity")
		done := make(chan error, 1)
		go func() {
			_, err := Respond(ctx, NewFramed(deviceEnd), d)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, ErrAborted) || !errors.Is(err, context.Canceled) {
			t.Errorf("Respond = %v, want ErrAborted by context.Canceled", err)
		}
		if _, err := clientEnd.Write([]byte{0}); err == nil {
			t.Error("the stream is still open")
		}
	})
}

// Without the label's secret nobody has a first message, and so keeps others waiting for
// some seconds only: neither by silence nor by a byte now and then.
func TestTheFirstMessageMustComeSoon(t *testing.T) {
	for name, send := range map[string][]byte{"silence": nil, "half a length": {0, 0}, "half a message": {0, 0, 0, handshakeSize, 1, 2, 3}} {
		synctest.Test(t, func(t *testing.T) {
			deviceEnd, clientEnd := net.Pipe()
			done := make(chan error, 1)
			go func() {
				_, err := Respond(t.Context(), NewFramed(deviceEnd), newDevice(t, "device identity"))
				done <- err
			}()
			if _, err := clientEnd.Write(send); err != nil {
				t.Fatal(err)
			}
			time.Sleep(FirstPatience - 1)
			synctest.Wait()
			if len(done) > 0 {
				t.Fatalf("%s: ended too early: %v", name, <-done)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if len(done) == 0 {
				t.Errorf("%s: the device still waits", name)
				_ = clientEnd.Close()
			}
			if err := <-done; !errors.Is(err, ErrAborted) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// Once the secret was shown, the client has its time.
func TestAClientThatHoldsTheSecretHasTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deviceEnd, clientEnd := net.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := Respond(t.Context(), NewFramed(deviceEnd), newDevice(t, "device identity"))
			done <- err
		}()
		client := NewFramed(clientEnd)
		psk, err := testSecret().psk(testDevice)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dial(client, psk, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := client.ReadMessage(); err != nil { // its hello
			t.Fatal(err)
		}
		time.Sleep(2 * FirstPatience)
		synctest.Wait()
		if len(done) > 0 {
			t.Fatalf("ended: %v", <-done)
		}
		_ = clientEnd.Close()
		if err := <-done; !errors.Is(err, ErrAborted) {
			t.Errorf("gone: %v", err)
		}
	})
}

func TestEveryFailureHasASentence(t *testing.T) {
	seen := map[string]bool{}
	for _, err := range []error{ErrSecret, ErrIdentity, ErrTampered, ErrProtocol, ErrAborted, ErrLabel, errors.New("other")} {
		s := Sentence(err)
		if seen[s] || !strings.HasSuffix(s, ".") {
			t.Errorf("%v: %q", err, s)
		}
		seen[s] = true
	}
}
