package pairing

import (
	"crypto/ecdh"
	"errors"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

const shownCode = "GeDzjj127GkcmI4FYA5m85YRge5vRLMSy7iS6FFjRTA"

func publicOf(t testing.TB, c Client) envelope.PublicKey {
	t.Helper()
	return envelope.PublicKey{Sig: &c.Sig.(fixedSigner).PublicKey, Enc: c.Enc}
}

func confirm(t testing.TB, d Device, c Client, code string) []byte {
	t.Helper()
	msg, err := d.Confirm(code, publicOf(t, c), Receipt{Role: proto.RoleOwner, Name: "Anna"})
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

func TestConfirmed(t *testing.T) {
	d, c := newDevice(t, "device identity"), newClient(t)
	p, err := c.Confirmed(confirm(t, d, c, shownCode), encKey(t, "client encryption"), shownCode)
	if err != nil {
		t.Fatal(err)
	}
	if p.Receipt.Name != "Anna" || p.Receipt.Role != proto.RoleOwner || p.Receipt.Client != publicOf(t, c).ClientID() || p.Receipt.Epoch != 3 ||
		p.Trio.Epoch != 3 || !p.Identity.Equal(sigKey(t, "device identity").Public()) {
		t.Errorf("%+v", p)
	}
}

func TestConfirmedIsAboutThisCode(t *testing.T) {
	d, c := newDevice(t, "device identity"), newClient(t)
	own, other := encKey(t, "client encryption"), encKey(t, "another")
	answer, err := envelope.SealAnswer(proto.Answer{}, d.Household, c.Enc)
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]struct {
		msg  []byte
		with *ecdh.PrivateKey
	}{
		"another code":   {confirm(t, d, c, "another"), own},
		"another client": {confirm(t, d, c, shownCode), other},
		"an answer":      {answer, own},
		"garbage":        {[]byte("{}"), own},
	} {
		if _, err := c.Confirmed(try.msg, try.with, shownCode); !errors.Is(err, ErrElse) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// T11: who has filmed the screen and knows the label can answer, and is not the camera on
// the label.
func TestT11AnotherIdentityIsNotTaken(t *testing.T) {
	c := newClient(t)
	impostor := newDevice(t, "impostor")
	p, err := c.Confirmed(confirm(t, impostor, c, shownCode), encKey(t, "client encryption"), shownCode)
	if !errors.Is(err, ErrIdentity) || p.Identity != nil {
		t.Errorf("%v, %+v", err, p)
	}
	// With the certificate of the camera itself it still has not its key.
	impostor.Chain = newDevice(t, "device identity").Chain
	if p, err := c.Confirmed(confirm(t, impostor, c, shownCode), encKey(t, "client encryption"), shownCode); !errors.Is(err, ErrTampered) || p.Identity != nil {
		t.Errorf("%v, %+v", err, p)
	}
}

func TestConfirmedRefuses(t *testing.T) {
	c, own := newClient(t), encKey(t, "client encryption")
	for name, change := range map[string]func(*Device){
		"another household's receipt": func(d *Device) { d.Household = sigKey(t, "another") },
		"another device":              func(d *Device) { d.ID = "camdtestdevice333333333333" },
		"another epoch":               func(d *Device) { d.Epoch = 4 },
		"no trio":                     func(d *Device) { d.Trio = nil },
		"no certificate":              func(d *Device) { d.Chain = nil },
	} {
		d := newDevice(t, "device identity")
		change(&d)
		if _, err := c.Confirmed(confirm(t, d, c, shownCode), own, shownCode); !errors.Is(err, ErrTampered) && !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A receipt for somebody else, in a message for this client.
	d := newDevice(t, "device identity")
	key := publicOf(t, c)
	key.Sig = &sigKey(t, "another").PublicKey
	msg, err := d.Confirm(shownCode, key, Receipt{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Confirmed(msg, own, shownCode); !errors.Is(err, ErrTampered) {
		t.Errorf("another's receipt: %v", err)
	}
}

// FuzzConfirmed is what the broker brings, once decrypted.
func FuzzConfirmed(f *testing.F) {
	d, c := newDevice(f, "device identity"), newClient(f)
	own := encKey(f, "client encryption")
	jws, err := envelope.OpenCode(confirm(f, d, c, shownCode), own)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(jws), "e30")
	f.Fuzz(func(t *testing.T, receipt, trio string) {
		d := d
		d.Trio = []byte(trio)
		claims := codeClaims{d.claims(shownCode), receipt}
		msg, err := envelope.SealCode(claims, d.Identity, c.Enc)
		if err != nil {
			return
		}
		if _, err := c.Confirmed(msg, own, shownCode); !isTyped(err) && !errors.Is(err, ErrElse) {
			t.Fatal(err)
		}
	})
}
