package home

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// camera has the keys of a camera and of its household.
type camera struct {
	device    proto.DeviceID
	identity  *ecdsa.PrivateKey
	household envelope.Trio
	log       ed25519.PrivateKey
}

func newCamera() camera {
	public, log, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	sig := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return camera{proto.NewDeviceID(), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		envelope.Trio{Sig: &sig.PublicKey, Enc: must(ecdh.P256().GenerateKey(rand.Reader)).PublicKey(), Log: public}, log}
}

// record is what a client keeps that pairs in an epoch of the camera.
func (c camera) record(epoch uint64) Record {
	keys := c.household
	keys.Device, keys.Epoch = c.device, epoch
	p := pairing.Paired{Identity: &c.identity.PublicKey, Trio: keys, TrioJWS: must(envelope.SignTrio(keys, c.identity)),
		Receipt: pairing.Receipt{Role: proto.RoleOwner, Name: "Anna"}}
	return must(NewRecord(p, c.device, Broker{URL: "mqtts://broker.example:8883", CA: "CA"}, nil))
}

// saved returns a home that knows one camera.
func saved(t *testing.T) (*Home, *Keys, Record) {
	t.Helper()
	h := must(Open(t.TempDir()))
	r := newCamera().record(1)
	if err := h.Save(r); err != nil {
		t.Fatal(err)
	}
	return h, must(h.Keys()), r
}
