package client

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// epochStatus is the retained status of d in another epoch, signed by an identity.
func (d *device) epochStatus(epoch uint64, device proto.DeviceID, by *ecdsa.PrivateKey) proto.Status {
	signed := trioOf(d, device, epoch)
	if !by.Equal(d.identity.PrivateKey) {
		signed = nil
	}
	e := envelope.Epoch{Device: device, Epoch: epoch, Trio: string(signed), Reason: "everyone was removed\x1b[2J at the camera"}
	return proto.Status{Online: true, Epoch: string(must(envelope.SignEpoch(e, by)))}
}

func TestLaterEpochEndsCallsWithItsReason(t *testing.T) {
	d, c := dialled(t)
	d.handle = func(proto.Request) (proto.Code, any) {
		d.deaf = 100 // it knows nobody any more
		s := d.epochStatus(2, d.id, d.identity.PrivateKey.(*ecdsa.PrivateKey))
		go d.mqtt.Publish(proto.TopicStatus(d.id), 1, true, must(json.Marshal(s)))
		return proto.CodeOK, nil
	}
	for range 2 { // the one under way, and the next
		_, err := c.Call(t.Context(), proto.OpStatus, "", nil)
		if !errors.Is(err, ErrNewEpoch) || !strings.Contains(err.Error(), "everyone was removed [2J at the camera") || !strings.Contains(err.Error(), "Pair again") {
			t.Fatalf("Call = %v", err)
		}
	}
}

func TestOtherEpochsChangeNothing(t *testing.T) {
	d, c := dialled(t)
	own := d.identity.PrivateKey.(*ecdsa.PrivateKey)
	other := must(d.ca.Device(d.id, nil)).PrivateKey.(*ecdsa.PrivateKey)
	for name, s := range map[string]proto.Status{
		"own epoch":      d.epochStatus(1, d.id, own),
		"another device": d.epochStatus(2, proto.NewDeviceID(), own),
		"another key":    d.epochStatus(2, d.id, other),
		"garbage":        {Online: true, Epoch: "a.b.c"},
	} {
		if e := laterEpoch(c.record, s); e != nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
	status(t, c)
}

func FuzzEpochStatus(f *testing.F) {
	identity := must(x509.MarshalPKIXPublicKey(must(home.NewKeys()).Signer().Public()))
	f.Add([]byte(`{"online":true,"epoch":"a.b.c"}`))
	f.Add([]byte(`{"online":false}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s proto.Status
		if json.Unmarshal(data, &s) != nil {
			return
		}
		if e := laterEpoch(home.Record{Identity: identity}, s); e != nil {
			t.Errorf("an epoch without a signature: %+v", e)
		}
	})
}

// trioOf is the keys of d's household as of another device and epoch.
func trioOf(d *device, id proto.DeviceID, epoch uint64) []byte {
	key := d.identity.PrivateKey.(*ecdsa.PrivateKey)
	trio := must(envelope.VerifyTrio(d.trio, &key.PublicKey))
	trio.Device, trio.Epoch = id, epoch
	return must(envelope.SignTrio(trio, key))
}
