package pairing

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

const testDevice = proto.DeviceID("camdtestdevice222222222222")

var testBroker = envelope.BrokerLogin{URL: "mqtts://broker.example:8884", CA: "-----BEGIN CERTIFICATE-----\n", ServerName: "home",
	Certificate: "-----BEGIN CERTIFICATE-----\n", Key: "-----BEGIN PRIVATE KEY-----\n"}

// fixedSigner signs by RFC 6979, so that vectors come out the same twice.
type fixedSigner struct{ *ecdsa.PrivateKey }

func (f fixedSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return f.PrivateKey.Sign(nil, digest, opts)
}

func sigKey(t testing.TB, name string) fixedSigner {
	t.Helper()
	d := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	return fixedSigner{key}
}

func encKey(t testing.TB, name string) *ecdh.PrivateKey {
	t.Helper()
	d := sha256.Sum256([]byte(name))
	key, err := ecdh.P256().NewPrivateKey(d[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func testSecret() (s Secret) {
	for i := range s {
		s[i] = byte(i + 1)
	}
	return s
}

func certificate(t testing.TB, key fixedSigner) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: string(testDevice)},
		NotBefore: time.Unix(1700000000, 0), NotAfter: time.Unix(4000000000, 0)}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// newDevice is a camera with an identity of this name, which enrols everyone.
func newDevice(t testing.TB, identity string) Device {
	t.Helper()
	id, hh := sigKey(t, identity), sigKey(t, "household signing")
	seed := sha256.Sum256([]byte("household log"))
	trio, err := envelope.SignTrio(envelope.Trio{Device: testDevice, Epoch: 3, Sig: &hh.PublicKey,
		Enc: encKey(t, "household encryption").PublicKey(),
		Log: ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)}, id)
	if err != nil {
		t.Fatal(err)
	}
	return Device{ID: testDevice, Secret: testSecret(), Identity: id, Chain: [][]byte{certificate(t, id)},
		Trio: trio, Epoch: 3, Household: hh,
		Enroll: func(context.Context, envelope.PublicKey, []byte) (Receipt, error) {
			return Receipt{Role: proto.RoleOwner, Name: "Anna", Broker: testBroker}, nil
		}}
}

func newClient(t testing.TB) Client {
	t.Helper()
	label, err := NewLabel(testDevice, testSecret(), sigKey(t, "device identity").Public())
	if err != nil {
		t.Fatal(err)
	}
	return Client{Label: label, Sig: sigKey(t, "client signing"), Enc: encKey(t, "client encryption").PublicKey()}
}

// outcome is how one pairing ended on both sides.
type outcome struct {
	paired     Paired
	clientErr  error
	receipt    Receipt
	deviceErr  error
	fromClient [][]byte
	fromDevice [][]byte
}

// pair runs both sides over a pipe; each closes its end when it is done. Either
// conn can be wrapped first.
func pair(t testing.TB, d Device, c Client, wrapDevice, wrapClient func(Conn) Conn) (o outcome) {
	t.Helper()
	deviceEnd, clientEnd := net.Pipe()
	onDevice := &recorder{Conn: NewFramed(deviceEnd), log: &o.fromDevice}
	onClient := &recorder{Conn: NewFramed(clientEnd), log: &o.fromClient}
	var both sync.WaitGroup
	both.Go(func() {
		o.receipt, o.deviceErr = Respond(t.Context(), wrap(onDevice, wrapDevice), d)
		_ = deviceEnd.Close()
	})
	both.Go(func() {
		o.paired, o.clientErr = Initiate(t.Context(), wrap(onClient, wrapClient), c)
		_ = clientEnd.Close()
	})
	both.Wait()
	return o
}

func wrap(c Conn, by func(Conn) Conn) Conn {
	if by == nil {
		return c
	}
	return by(c)
}

// recorder keeps what was written.
type recorder struct {
	Conn
	log *[][]byte
}

func (r *recorder) WriteMessage(msg []byte) error {
	*r.log = append(*r.log, append([]byte(nil), msg...))
	return r.Conn.WriteMessage(msg)
}

// tamper changes message number n that is read.
type tamper struct {
	Conn
	n      int
	change func([]byte) []byte
}

func (c *tamper) ReadMessage() ([]byte, error) {
	msg, err := c.Conn.ReadMessage()
	if c.n--; c.n == 0 && err == nil {
		msg = c.change(msg)
	}
	return msg, err
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
