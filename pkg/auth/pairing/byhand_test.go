package pairing

import (
	"net"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
)

// clientMessage shows one key in the JWS and one in the card.
func clientMessage(t testing.TB, jwsKey, cardKey, hash string) message {
	t.Helper()
	enc := encKey(t, "client encryption").PublicKey()
	sig, other := sigKey(t, jwsKey), sigKey(t, cardKey)
	public := envelope.PublicKey{Sig: &sig.PublicKey, Enc: enc}
	keys, err := envelope.NewKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := envelope.Sign(typeClient, string(public.ClientID()), clientClaims{Hash: hash, Keys: keys}, sig)
	if err != nil {
		t.Fatal(err)
	}
	card, err := envelope.NewKeyCard(other, enc)
	if err != nil {
		t.Fatal(err)
	}
	return message{Type: messageClient, JWS: string(jws), Card: string(card)}
}

// asClient is a client by hand: it shakes hands, reads the hello, and sends what
// it is told to.
func asClient(t testing.TB, d Device, send func(*channel) []message) error {
	t.Helper()
	deviceEnd, clientEnd := net.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := Respond(t.Context(), NewFramed(deviceEnd), d)
		_ = deviceEnd.Close()
		done <- err
	}()
	psk, err := d.Secret.psk(d.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(NewFramed(clientEnd), psk, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.read(messageDevice); err != nil {
		t.Fatal(err)
	}
	for _, m := range send(c) {
		if err := c.write(m); err != nil {
			break // the device has hung up, as its error will say
		}
	}
	_ = clientEnd.Close()
	return <-done
}

// asDevice is a device by hand that sends these messages after the handshake.
func asDevice(t testing.TB, c Client, messages ...message) error {
	t.Helper()
	deviceEnd, clientEnd := net.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := Initiate(t.Context(), NewFramed(clientEnd), c)
		_ = clientEnd.Close()
		done <- err
	}()
	psk, err := c.Label.Secret.psk(c.Label.Device)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := accept(NewFramed(deviceEnd), psk, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if err := ch.write(m); err != nil {
			break
		}
	}
	_ = deviceEnd.Close()
	return <-done
}
