package hostile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// connect makes an honest client with whatever name it likes.
func connect(t *testing.T, b *Broker, ca *pki.CA, name string) (m mqtt.Client, got chan string, lost chan error) {
	t.Helper()
	cert, err := ca.Client("somebody else")
	if err != nil {
		t.Fatal(err)
	}
	got, lost = make(chan string, 16), make(chan error, 1)
	cfg := &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	m = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("mqtts://" + b.Address()).SetClientID(name).SetAutoReconnect(false).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return tls.Dial("tcp", b.Address(), cfg) }).
		SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err }))
	for _, token := range []func() mqtt.Token{m.Connect, func() mqtt.Token {
		return m.Subscribe("#", 1, func(_ mqtt.Client, m mqtt.Message) { got <- m.Topic() + " " + string(m.Payload()) })
	}} {
		if x := token(); !x.WaitTimeout(Patience) || x.Error() != nil {
			t.Fatal(x.Error())
		}
	}
	t.Cleanup(func() { m.Disconnect(0) })
	return m, got, lost
}

func TestTheBrokersOwnerDecidesAboutEachMessage(t *testing.T) {
	ca, err := pki.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	b := Start(t, ca)
	m, got, lost := connect(t, b, ca, "anyone")
	b.Intercept(func(m Message) Verdict {
		return map[string]Verdict{"lost": Drop, "one": Hold, "two": Hold, "three": Hold}[string(m.Payload)]
	})
	for _, text := range []string{"lost", "one", "two", "three", "now"} {
		if x := m.Publish("any/topic", 1, false, text); !x.WaitTimeout(Patience) || x.Error() != nil {
			t.Fatalf("publish %s: %v", text, x.Error())
		}
	}
	comes := func(want string) {
		t.Helper()
		select {
		case x := <-got:
			if x != "any/topic "+want {
				t.Errorf("got %q, want %q", x, want)
			}
		case <-time.After(Patience):
			t.Fatalf("%q never came", want)
		}
	}
	comes("now") // its PUBACK may have come before it
	b.Release(2, 0)
	b.Release()
	b.Replay(b.Await("the lost message", func(m Message) bool { return string(m.Payload) == "lost" }))
	for _, want := range []string{"three", "one", "two", "lost"} {
		comes(want)
	}
	if l := b.Messages(); len(l) != 9 || l[0].Client != "anyone" || l[8].Client != "" || len(b.Held()) != 0 {
		t.Errorf("seen %+v, held %d", l, len(b.Held()))
	}
	b.KickAll()
	select {
	case <-lost: //nolint:errcheck // that it was lost is enough
	case <-time.After(Patience):
		t.Error("the client is still connected")
	}
}

// What an attack changes must be the only thing that is wrong with a request.
func TestAForgeryIsWellFormedUntilItIsChanged(t *testing.T) {
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	household, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{Keys: keys, Device: "abcdefghijklmnopqrstuvwxyz", Nonce: "n", Trio: envelope.Trio{Epoch: 3, Enc: household.Opener().PublicKey()}}
	lookup := func(proto.ClientID) (*ecdsa.PublicKey, bool) {
		return keys.Signer().Public().(*ecdsa.PublicKey), true
	}
	open := func(f *Forgery) (proto.Request, error) {
		return envelope.OpenRequest(f.Seal(), household.Opener(), lookup)
	}
	r, err := open(c.Request(proto.OpLive, "s", map[string]string{"sdp": "v=0"}))
	if err != nil || r.Issuer != keys.ID() || r.Audience != c.Device || r.Epoch != 3 || r.Session != "s" || !bytes.Contains(r.Body, []byte("v=0")) {
		t.Fatalf("opened %+v, %v", r, err)
	}
	for name, change := range map[string]struct {
		do   func(*Forgery)
		want error
	}{
		"alg none":             {func(f *Forgery) { f.Header["alg"], f.Sign = "none", Unsigned }, envelope.ErrGarbled},
		"HS256":                {func(f *Forgery) { f.Header["alg"], f.Sign = "HS256", HS256([]byte("x")) }, envelope.ErrGarbled},
		"typ":                  {func(f *Forgery) { f.Header["typ"] = "JWT" }, envelope.ErrGarbled},
		"one more in JWS":      {func(f *Forgery) { f.Header["jwk"] = map[string]string{} }, envelope.ErrGarbled},
		"one more in JWE":      {func(f *Forgery) { f.SealHeader["zip"] = "DEF" }, envelope.ErrGarbled},
		"an encrypted key":     {func(f *Forgery) { f.EncryptedKey = []byte("x") }, envelope.ErrGarbled},
		"another key":          {func(f *Forgery) { f.Sign = ES256(household.Signer()) }, envelope.ErrSignature},
		"for another device":   {func(f *Forgery) { f.To = keys.Opener().PublicKey() }, envelope.ErrGarbled},
		"names twice":          {func(f *Forgery) { f.RawClaims = `{"op":"bye","op":"live"}` }, envelope.ErrClaims},
		"something inside":     {func(f *Forgery) { f.Inner = []byte("hello") }, envelope.ErrGarbled},
		"another one's claims": {func(f *Forgery) { f.Claims["iss"] = household.ID() }, envelope.ErrClaims},
		"too large":            {func(f *Forgery) { f.Claims["body"] = string(make([]byte, 20000)) }, envelope.ErrOversized},
	} {
		f := c.Request(proto.OpHello, "", nil)
		change.do(f)
		if _, err := open(f); !errors.Is(err, change.want) {
			t.Errorf("%s: %v, want %v", name, err, change.want)
		}
	}
}
