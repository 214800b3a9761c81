package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	born = `{"online":true,"version":"` + version + `"}`
	gone = `{"online":false}`
)

func status(device proto.DeviceID, payload string) func(linktest.Message) bool {
	return func(m linktest.Message) bool { return m.Topic == proto.TopicStatus(device) && m.Payload == payload }
}

func TestBirthAndOfflineStatus(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		r := newRig(t, config(t, s.Devices, s.CA), s.CA, nil).run().awaitOnline()
		early := linktest.NewViewer(t, s, r.device)
		if m := early.Await("the birth", status(r.device, born)); !m.Retained {
			t.Error("the birth is not retained")
		}
		r.stop()
		early.Await("the offline status", status(r.device, gone))
		if m := linktest.NewViewer(t, s, r.device).Await("the offline status", status(r.device, gone)); !m.Retained {
			t.Error("the offline status is not retained")
		}
	})
}

func TestWillAfterALostConnection(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		proxy := linktest.NewProxy(t, s.Devices)
		r := newRig(t, config(t, proxy.Address(), s.CA), s.CA, nil)
		v := linktest.NewViewer(t, s, r.device)
		r.run()
		v.Await("the birth", status(r.device, born))
		proxy.Drop()
		v.Await("the will", status(r.device, gone))
		v.Await("the second birth", status(r.device, born))
	})
}

func TestMessagesInOrderBothWays(t *testing.T) {
	const n, answers = 80, 64 // below the allowance of a client
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		r := newRig(t, config(t, s.Devices, s.CA), s.CA, nil).run().awaitOnline()
		v := linktest.NewViewer(t, s)
		for i := range n {
			v.Request(r.device, fmt.Appendf(nil, "request %d", i), false)
			if m := r.receive(); m.client != v.ID || string(m.bytes) != fmt.Sprintf("request %d", i) {
				t.Fatalf("message %d is %q of %s", i, m.bytes, m.client)
			}
		}
		for i := range answers {
			if err := r.link.Send(v.ID, fmt.Appendf(nil, "answer %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range answers {
			want := linktest.Message{Topic: proto.TopicOut(r.device, v.ID), Payload: fmt.Sprintf("answer %d", i)}
			if m := v.Await("an answer", func(m linktest.Message) bool { return m.Topic == want.Topic }); m != want {
				t.Fatalf("answer %d is %+v", i, m)
			}
		}
	})
}

func TestReconnectAfterBrokerRestart(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		cfg := config(t, s.Devices, s.CA)
		r := newRig(t, cfg, s.CA, nil).run().awaitOnline()
		s.Stop()
		r.awaitProblem("Nothing listens on " + s.Devices)
		if err := r.link.Send(linktest.NewClientID(), []byte("x")); !errors.Is(err, ErrOffline) {
			t.Errorf("Send without a broker = %v, want ErrOffline", err)
		}
		s.Start()
		r.awaitOnline()
		v := linktest.NewViewer(t, s)
		v.Request(r.device, []byte("again"), false)
		if m := r.receive(); string(m.bytes) != "again" {
			t.Errorf("after the restart came %q", m.bytes)
		}
	})
}

func TestHalfOpenConnectionIsReplaced(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		proxy := linktest.NewProxy(t, s.Devices)
		cfg := config(t, proxy.Address(), s.CA)
		cfg.KeepaliveSeconds = 2
		r := newRig(t, cfg, s.CA, nil).run().awaitOnline()
		proxy.Hold()
		r.awaitProblem("stopped answering")
		r.awaitOnline()
		v := linktest.NewViewer(t, s)
		v.Request(r.device, []byte("here"), false)
		if m := r.receive(); string(m.bytes) != "here" {
			t.Errorf("over the new connection came %q", m.bytes)
		}
	})
}

func TestBrokerCertificateRefused(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		now := time.Now()
		other := linktest.NewCA(t, "somebody else")
		make := func(c tls.Certificate, err error) tls.Certificate { return linktest.Must(t, c, err) }
		for _, c := range []struct {
			name  string
			cert  tls.Certificate
			words []string
		}{
			{"other authority", make(other.Server("127.0.0.1")), []string{"not trusted", `issued by "somebody else"`, "ca.crt"}},
			{"expired", make(s.CA.Between(now.Add(-2*time.Hour), now.Add(-time.Hour)).Server("127.0.0.1")), []string{"expired on", "clock reads"}},
			{"not yet valid", make(s.CA.Between(now.Add(time.Hour), now.Add(2*time.Hour)).Server("127.0.0.1")), []string{"valid only from", "clock reads"}},
			{"other name", make(s.CA.Server("elsewhere.example")), []string{`is for "elsewhere.example"`, `not for "127.0.0.1"`}},
		} {
			t.Run(c.name, func(t *testing.T) {
				s.Stop()
				s.StartWith(c.cert)
				cfg := config(t, s.Devices, s.CA)
				r := newRig(t, cfg, s.CA, nil).run()
				linktest.Until(t, "the link has tried the broker", func() bool { return r.health().State == health.Failed || r.onlines.Load() > 0 })
				if r.onlines.Load() > 0 {
					t.Fatal("the link takes this broker")
				}
				r.awaitProblem(c.words...)
				if err := Check(context.Background(), cfg, Login{Certificate: r.link.dialer.Load().cert}); err == nil || !containsAll(err.Error(), c.words) {
					t.Errorf("Check() = %v, want %q", err, c.words)
				}
			})
		}
	})
}

func TestDeviceCertificateRefused(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		now, id := time.Now(), proto.NewDeviceID()
		other := linktest.NewCA(t, "somebody else")
		make := func(c tls.Certificate, err error) tls.Certificate { return linktest.Must(t, c, err) }
		for _, c := range []struct {
			name  string
			cert  tls.Certificate
			words []string
		}{
			{"other authority", make(other.Device(id, nil)), []string{"refuses the device's certificate", string(id), `"somebody else"`}},
			{"expired", make(s.CA.Between(now.Add(-2*time.Hour), now.Add(-time.Hour)).Device(id, nil)), []string{"refuses the device's certificate", string(id)}},
		} {
			t.Run(c.name, func(t *testing.T) {
				cfg := config(t, s.Devices, s.CA)
				newRig(t, cfg, s.CA, &c.cert).run().awaitProblem(c.words...)
				if err := Check(context.Background(), cfg, Login{Certificate: c.cert}); err == nil || !containsAll(err.Error(), c.words) {
					t.Errorf("Check() = %v, want %q", err, c.words)
				}
			})
		}
		cfg := config(t, s.Devices, s.CA)
		if err := Check(context.Background(), cfg, Login{Certificate: s.Device(id)}); err != nil {
			t.Errorf("Check with a good certificate = %v", err)
		}
	})
}

func TestTooLargeIsDroppedWithoutLosingTheConnection(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		proxy := linktest.NewProxy(t, s.Devices)
		r := newRig(t, config(t, proxy.Address(), s.CA), s.CA, nil).run().awaitOnline()
		v := linktest.NewViewer(t, s)
		v.Request(r.device, make([]byte, proto.MaxMessage+1), false)
		v.Request(r.device, make([]byte, 60<<10), false)
		v.Request(r.device, make([]byte, proto.MaxMessage), false)
		if m := r.receive(); len(m.bytes) != proto.MaxMessage {
			t.Errorf("received %d bytes, want %d", len(m.bytes), proto.MaxMessage)
		}
		if n := r.link.drops[dropSize].Load(); n != 2 {
			t.Errorf("%d messages dropped for their size, want 2", n)
		}
		if n := proxy.Accepted(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

func TestRetainedRequestIsNotDeliveredAgain(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		proxy := linktest.NewProxy(t, s.Devices)
		r := newRig(t, config(t, proxy.Address(), s.CA), s.CA, nil).run().awaitOnline()
		v := linktest.NewViewer(t, s, r.device)
		v.Request(r.device, []byte("retained"), true)
		r.receive()
		proxy.Drop()
		v.Await("the second birth", status(r.device, gone))
		v.Await("the second birth", status(r.device, born))
		v.Request(r.device, []byte("next"), false)
		if m := r.receive(); string(m.bytes) != "next" {
			t.Errorf("after the reconnect came %q", m.bytes)
		}
	})
}

func TestFloodOfAStrangerIsBounded(t *testing.T) {
	const n = 400
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		r := newRig(t, config(t, s.Devices, s.CA), s.CA, nil).run().awaitOnline()
		stranger, member := linktest.NewViewer(t, s), linktest.NewViewer(t, s)
		r.forget(stranger.ID)
		for range n {
			stranger.Request(r.device, []byte("knock"), false)
		}
		member.Request(r.device, []byte("member"), false)
		passed := 0
		for m := r.receive(); m.client != member.ID; m = r.receive() {
			passed++
		}
		dropped := int(r.link.drops[dropRate].Load())
		// A broker may drop some, too, when the device is slower than the stranger.
		if dropped < passed || passed+dropped > n {
			t.Errorf("of %d messages %d passed and %d were dropped", n, passed, dropped)
		}
	})
}

func TestSlowReceiverIsBounded(t *testing.T) {
	const n = inboxLength + 20 // below the allowance of two clients
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		r := newRig(t, config(t, s.Devices, s.CA), s.CA, nil)
		r.gate = make(chan struct{})
		r.run().awaitOnline()
		v, w := linktest.NewViewer(t, s), linktest.NewViewer(t, s)
		v.Request(r.device, []byte("held"), false)
		linktest.Until(t, "the receiver holds the first message", func() bool { return len(r.link.inbox) == 0 && len(r.got) == 0 })
		for range n / 2 {
			v.Request(r.device, []byte("more"), false)
			w.Request(r.device, []byte("more"), false)
		}
		linktest.Until(t, "the inbox overflows", func() bool { return r.link.drops[dropInbox].Load() >= 19 })
		if got := len(r.link.inbox); got != inboxLength {
			t.Errorf("%d messages wait, want %d", got, inboxLength)
		}
		close(r.gate)
		if m := r.receive(); string(m.bytes) != "held" {
			t.Errorf("first came %q", m.bytes)
		}
	})
}

// What is refused always comes first: had the broker carried it, it would arrive
// before what is allowed.
func TestTopicRules(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		r := newRig(t, config(t, s.Devices, s.CA), s.CA, nil).run().awaitOnline()
		v, spy, rival := linktest.NewViewer(t, s), linktest.NewViewer(t, s), linktest.NewOtherDevice(t, s)
		foreign := []string{"#", "camd/v1/+/status", "camd/v1/#", "camd/v1/+/out/" + string(v.ID), proto.TopicInFilter(r.device)}
		if s.Devices != s.Viewers { // the embedded broker shows the status of a device that is named
			foreign = append(foreign, proto.TopicStatus(r.device))
		}
		for _, x := range []*linktest.Viewer{spy, rival} {
			for _, f := range foreign {
				x.Subscribe(f)
			}
			x.Publish(proto.TopicIn(r.device, v.ID), "forged request")
			x.Publish(proto.TopicOut(r.device, v.ID), "forged answer")
			x.Publish(proto.TopicStatus(r.device), "forged status")
		}
		spy.Request(r.device, []byte("spy"), false)
		if m := r.receive(); string(m.bytes) != "spy" || m.client != spy.ID {
			t.Errorf("the device got %q of %s", m.bytes, m.client)
		}
		for _, to := range []proto.ClientID{v.ID, spy.ID} {
			if err := r.link.Send(to, []byte("for "+to)); err != nil {
				t.Fatal(err)
			}
		}
		for _, x := range []*linktest.Viewer{v, spy} {
			own := linktest.Message{Topic: proto.TopicOut(r.device, x.ID), Payload: "for " + string(x.ID)}
			x.Await("its own message and none before", func(m linktest.Message) bool {
				if m != own {
					t.Errorf("got %+v", m)
				}
				return m == own
			})
		}
		if len(rival.Got) != 0 {
			t.Errorf("another device got %+v", <-rival.Got)
		}
	})
}
