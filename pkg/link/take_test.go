package link

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
)

// A certificate for a key of its own is tried beside the session, and then shown by the
// next one, under the MQTT client identifier that the identity key gives.
func TestAnotherCertificate(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		r := newRig(t, config(t, s.Devices, s.CA), s.CA, nil).run()
		r.awaitOnline()
		before, name, first := r.onlines.Load(), r.link.dialer.Load().clientID, r.conn()
		next := s.Device(r.device)
		if err := r.link.Try(t.Context(), next); err != nil {
			t.Fatalf("Try() = %v", err)
		}
		v := linktest.NewViewer(t, s)
		v.Request(r.device, []byte("still the first session"), false)
		if m := r.receive(); string(m.bytes) != "still the first session" || r.onlines.Load() != before || r.conn() != first {
			t.Errorf("received %q, came online %d times", m.bytes, r.onlines.Load()-before+1)
		}
		if err := r.link.Take(next); err != nil {
			t.Fatalf("Take() = %v", err)
		}
		linktest.Until(t, "the new certificate's session serves", func() bool { return r.onlines.Load() > before })
		if c := r.conn().by; c != r.link.dialer.Load() || !c.leaf.Equal(next.Leaf) || c.clientID != name {
			t.Error("the session is not the new certificate's, or has another name")
		}
		linktest.Until(t, "all is well", func() bool { return r.health().State == health.OK })
		v.Request(r.device, []byte("the second session"), false)
		if m := r.receive(); string(m.bytes) != "the second session" {
			t.Errorf("received %q", m.bytes)
		}
	})
}

// conn returns the newest connection.
func (r *rig) conn() *conn {
	r.link.mu.Lock()
	defer r.link.mu.Unlock()
	return r.link.conn
}

// What does not work when it is tried costs the session nothing.
func TestACertificateThatDoesNotWork(t *testing.T) {
	t.Parallel()
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		r := newRig(t, config(t, s.Devices, s.CA), s.CA, nil).run()
		r.awaitOnline()
		first := r.conn()
		other, err := linktest.NewCA(t, "somebody's authority").Device(r.device, nil)
		foreign := linktest.Must(t, other, err)
		old, err := s.CA.Between(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)).Device(r.device, nil)
		expired := linktest.Must(t, old, err)
		swapped := s.Device(r.device)
		swapped.PrivateKey = foreign.PrivateKey
		for name, c := range map[string]struct {
			cert tls.Certificate
			want string
		}{
			"an authority that the broker does not know": {foreign, "somebody's authority"},
			"expired":          {expired, ""}, // the brokers say it in different words
			"another device's": {s.Device(proto.NewDeviceID()), "have a certificate made with that common name"},
			"another key's":    {swapped, "for another key"},
		} {
			if err := r.link.Try(t.Context(), c.cert); err == nil || !containsAll(err.Error(), []string{c.want}) {
				t.Errorf("%s: Try() = %v, want %q", name, err, c.want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.link.Try(ctx, s.Device(r.device)); err == nil {
			t.Error("Try() goes on when its context has ended")
		}
		if r.conn() != first || r.onlines.Load() != 1 || r.link.dialer.Load() != first.by {
			t.Error("the session was disturbed")
		}
		if err := r.link.Take(swapped); err == nil || r.link.dialer.Load() != first.by {
			t.Errorf("Take() of what can't work = %v", err)
		}
	})
}
