package link

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
)

// Any client that the broker takes may connect under any name that it can know, and so
// may a guest who was removed: the device keeps its session all the same.
func TestNoViewerEndsTheDevicesSession(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		proxy := linktest.NewProxy(t, s.Devices)
		r := newRig(t, config(t, proxy.Address(), s.CA), s.CA, nil)
		watcher := linktest.NewViewer(t, s, r.device)
		r.run().awaitOnline()
		watcher.Await("the birth", status(r.device, born))
		other := linktest.NewOtherDevice(t, s)
		guest := linktest.NewClientID()
		cert, err := s.CA.Viewer(guest)
		cert = linktest.Must(t, cert, err)
		for _, id := range knowable(t, r, guest) {
			for _, address := range []string{s.Viewers, s.Devices} {
				_, _ = linktest.TryConnect(t, s, address, id, cert) // it may be refused
			}
		}
		// The broker publishes the will of a session before it lets another one take its name.
		marker := linktest.Message{Topic: proto.TopicOut(other.Device, watcher.ID), Payload: "after the attack"}
		other.Publish(marker.Topic, marker.Payload)
		watcher.Await("what another device says", func(m linktest.Message) bool {
			if m != marker && !status(r.device, born)(m) { // a broker may show the birth twice
				t.Errorf("meanwhile came %+v", m)
			}
			return m == marker
		})
		if n := proxy.Accepted(); n != 1 || r.health().State != health.OK {
			t.Errorf("%d connections, want 1; the link is %+v", n, r.health())
		}
	})
}

// knowable lists what someone can know who has the label, the device's certificates
// and a member's certificate.
func knowable(t *testing.T, r *rig, guest proto.ClientID) []string {
	t.Helper()
	leaf := r.link.dialer.Load().leaf
	spki, err := x509.MarshalPKIXPublicKey(leaf.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	key, serial := sha256.Sum256(spki), leaf.SerialNumber.Bytes()
	device := string(r.device)
	return []string{
		device, strings.ToUpper(device), device + "-1", device[:22], device[:23], "camd-" + device, "urn:camd:device:" + device,
		string(guest), string(guest) + "-" + device, leaf.Subject.String(), leaf.SerialNumber.String(), hex.EncodeToString(serial),
		base64.RawURLEncoding.EncodeToString(key[:]), base64.RawURLEncoding.EncodeToString(key[:16]), hex.EncodeToString(key[:]),
		base64.RawURLEncoding.EncodeToString(spki), clientIDInfo, "camd", "",
	}
}

// Two devices with one identity: each comes back at once, and both say what is wrong.
func TestTwinsSayThatTheyAreTwo(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		a := newRig(t, config(t, s.Devices, s.CA), s.CA, nil)
		b := newRig(t, config(t, s.Devices, s.CA), s.CA, &a.link.dialer.Load().cert)
		a.run().awaitOnline()
		b.run()
		for _, r := range []*rig{a, b} {
			linktest.Until(t, "both say so", func() bool {
				h := r.health()
				return (h.State == health.Degraded || h.State == health.Failed) && strings.HasPrefix(h.Reason, "Another device connects under this camera's name")
			})
		}
		b.stop()
		linktest.Until(t, "Check notices who is there already", func() bool {
			err := Check(context.Background(), config(t, s.Devices, s.CA), Login{Certificate: a.link.dialer.Load().cert})
			return err != nil && strings.HasPrefix(err.Error(), "Another device connects")
		})
		linktest.Until(t, "the other one has its session, and still says so", func() bool { return a.health().State == health.Degraded })
		v := linktest.NewViewer(t, s)
		v.Request(a.device, []byte("still here"), false)
		if m := a.receive(); string(m.bytes) != "still here" {
			t.Errorf("received %q", m.bytes)
		}
	})
}

func TestRivalsAreForgotten(t *testing.T) {
	now := time.Unix(1000, 0)
	var r rivals
	for i := range rivalEnds {
		if _, yes := r.present(now); yes {
			t.Errorf("%d ends are taken for somebody else", i)
		}
		r.ended(now)
		now = now.Add(time.Minute)
	}
	until, yes := r.present(now)
	if !yes || until != now.Add(rivalMemory-time.Minute) {
		t.Errorf("after %d ends: %v until %v", rivalEnds, yes, until)
	}
	if _, yes := r.present(until); yes {
		t.Error("it is believed for longer than it says")
	}
	if r.ended(until.Add(time.Second)); r.ends != 1 {
		t.Errorf("%d ends count after a long while, want 1", r.ends)
	}
	r.ended(until.Add(2 * time.Second))
	r.refused()
	if r.ended(until.Add(3 * time.Second)); r.ends != 1 {
		t.Error("what a broker in trouble ended counts")
	}
}

// A broker that takes everything and carries nothing: with the shipped rules that is
// the viewers' port, and the devices' for a device that the rules do not know.
func TestABrokerThatCarriesNothingIsFound(t *testing.T) {
	t.Parallel()
	s := linktest.Mosquitto(t, "../../docs/mosquitto")
	cfg := config(t, s.Viewers, s.CA)
	device := proto.NewDeviceID()
	if err := Check(context.Background(), cfg, Login{Certificate: s.Device(device)}); err == nil || !containsAll(err.Error(), []string{"delivers none of it", "not the viewers'"}) {
		t.Errorf("Check on the viewers' port = %v", err)
	}
	r := newRig(t, cfg, s.CA, nil).run()
	r.awaitProblem("delivers none of it", "not the viewers'")
}
