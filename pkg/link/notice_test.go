package link

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
)

// told notifies and returns what becomes of it.
func (r *rig) told(to proto.ClientID, text string) <-chan error {
	r.Helper()
	done := make(chan error, 1)
	if err := r.link.Notify(to, []byte(text), func(err error) { done <- err }); err != nil {
		r.Fatal(err)
	}
	return done
}

// Who has many answers sent over a slow line, such as a picture, keeps nobody's notice
// from coming first, and nobody's answer from being taken.
func TestNoticesGoBeforeAnswersOnASlowLine(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		proxy := linktest.NewProxy(t, s.Devices)
		r := newRig(t, config(t, proxy.Address(), s.CA), s.CA, nil).run().awaitOnline()
		hog, other := linktest.NewViewer(t, s), linktest.NewViewer(t, s)
		proxy.Slow(true)
		last, try := "", ""
		linktest.Until(t, "a notice is taken while an answer waits", func() bool {
			for i := 0; ; i++ {
				text := fmt.Sprintf("answer %d after %q ", i, try)
				if r.link.Send(hog.ID, []byte(text+strings.Repeat("x", proto.MaxMessage-len(text)))) != nil {
					break // its account is full
				}
				last = text
			}
			try = fmt.Sprint("notice after ", last)
			r.told(hog.ID, try)
			return len(r.link.outbox) > 0
		})
		if err := r.link.Send(other.ID, []byte("another's answer")); err != nil {
			t.Errorf("another account's answer: %v", err)
		}
		heard := r.told(other.ID, "another's notice")
		came := false
		hog.Await("its last answer", func(m linktest.Message) bool {
			came = came || m.Payload == try
			return strings.HasPrefix(m.Payload, last)
		})
		if !came {
			t.Error("the notice comes after the answers")
		}
		for _, want := range []string{"another's notice", "another's answer"} {
			got := other.Await("its messages", func(m linktest.Message) bool { return m.Topic == proto.TopicOut(r.device, other.ID) })
			if got.Payload != want {
				t.Errorf("got %.40q, want %q", got.Payload, want)
			}
		}
		if err := <-heard; err != nil {
			t.Error(err)
		}
	})
}

// What becomes of a notice is known when its connection is gone, and the library does not
// send it once more by itself: whoever gave it does, in order.
func TestNoticeOfALostConnectionIsNotSentAgain(t *testing.T) {
	eachBroker(t, func(t *testing.T, s *linktest.Server) {
		proxy := linktest.NewProxy(t, s.Devices)
		cfg := config(t, proxy.Address(), s.CA)
		cfg.KeepaliveSeconds = 2
		r := newRig(t, cfg, s.CA, nil).run().awaitOnline()
		v := linktest.NewViewer(t, s)
		if err := <-r.told(v.ID, "first"); err != nil {
			t.Errorf("with a connection: %v", err)
		}
		proxy.Hold()
		lost := r.told(v.ID, "lost")
		if err := <-lost; err == nil {
			t.Error("nobody has acknowledged it")
		}
		r.awaitOnline()
		var err error
		linktest.Until(t, "a notice is acknowledged", func() bool {
			done := make(chan error, 1)
			if r.link.Notify(v.ID, []byte("next"), func(err error) { done <- err }) != nil {
				return false
			}
			err = <-done
			return err == nil
		})
		v.Await("the next one", func(m linktest.Message) bool {
			if m.Payload == "lost" {
				t.Error("the library has sent it once more")
			}
			return m.Payload == "next"
		})
	})
}

// A connection that is lost again and again, by a network or by whoever is in it, must not
// use up the 65535 packet identifiers of MQTT: then the camera would stay away for ever.
func TestALostConnectionLeavesAllPacketIdentifiers(t *testing.T) {
	s := linktest.Embedded(t)
	proxy := linktest.NewProxy(t, s.Devices)
	r := newRig(t, config(t, proxy.Address(), s.CA), s.CA, nil)
	client := mqtt.NewClient(r.link.options(t.Context()))
	defer client.Disconnect(0)
	if token := client.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	proxy.Hold()
	for range 1<<16 - 1 {
		client.Publish(proto.TopicOut(r.device, "x"), 1, false, "")
	}
	proxy.Drop()
	linktest.Until(t, "the loss is noticed", func() bool { return !client.IsConnectionOpen() })
	linktest.Until(t, "it is connected again", func() bool {
		if !client.IsConnected() { // as Run does
			client.Connect()
		}
		return client.IsConnectionOpen()
	})
	if err := subscribe(t.Context(), client, proto.TopicInFilter(r.device), r.link.handle); err != nil {
		t.Errorf("on the next connection: %v", err)
	}
}

// forever is a token that never completes.
type forever struct{}

func (forever) Wait() bool                     { select {} }
func (forever) WaitTimeout(time.Duration) bool { return false }
func (forever) Done() <-chan struct{}          { return nil }
func (forever) Error() error                   { return nil }

func TestABrokerThatAcknowledgesNothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer func() { _ = far.Close() }()
		s := &session{conn: newConn(nil, near), over: make(chan struct{})}
		if err := (unacknowledged{session: s, token: forever{}}).wait(); !errors.Is(err, errSilent) {
			t.Errorf("wait = %v", err)
		}
		if _, err := near.Write([]byte{0}); err == nil {
			t.Error("the connection is kept")
		}
		close(s.over)
		if err := (unacknowledged{session: s, token: forever{}}).wait(); !errors.Is(err, ErrOffline) {
			t.Errorf("wait after the session = %v", err)
		}
	})
}
