package link

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
)

var connackOK = []byte{0x20, 2, 0, 0}

// script starts a broker that answers a CONNECT with the given bytes, and a
// SUBSCRIBE with others, and then listens until the connection ends.
func script(t *testing.T, onConnect, onSubscribe []byte) Config {
	t.Helper()
	ca := linktest.NewCA(t, "script")
	cert, err := ca.Server("127.0.0.1")
	cfg := &tls.Config{
		Certificates: []tls.Certificate{linktest.Must(t, cert, err)},
		ClientAuth:   tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13,
	}
	return config(t, linktest.Script(t, cfg, func(c net.Conn) {
		for _, answer := range [][]byte{onConnect, onSubscribe} {
			if _, err := c.Read(make([]byte, 4096)); err != nil {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, c)
	}), ca)
}

func TestHostileBroker(t *testing.T) {
	for name, c := range map[string]struct {
		onConnect, onSubscribe []byte
		words                  []string
	}{
		"announces 256 MB":    {connackOK, []byte{0x30, 0xff, 0xff, 0xff, 0x7f}, []string{"a packet of 268435455 bytes", "64 KiB"}},
		"surplus SUBACK code": {connackOK, []byte{0x90, 4, 0, 1, 0, 0}, []string{"unexpected packet"}},
		"unknown CONNACK":     {[]byte{0x20, 2, 0, 99}, nil, []string{"unknown CONNACK code 99"}},
		"endless length":      {connackOK, []byte{0x30, 0xff, 0xff, 0xff, 0xff}, []string{"malformed length"}},
		"QoS 2":               {connackOK, []byte{0x34, 5, 0, 1, 'x', 0, 1}, []string{"unexpected packet"}},
		"no MQTT at all":      {[]byte("HTTP/1.1 400 Bad Request\r\n"), nil, []string{"unexpected packet"}},
		"not authorised":      {[]byte{0x20, 2, 0, 5}, nil, []string{"does not authorise the device's certificate"}},
		"identifier rejected": {[]byte{0x20, 2, 0, 2}, nil, []string{"rejects the MQTT client identifier"}},
		"unavailable":         {[]byte{0x20, 2, 0, 3}, nil, []string{"accepts no clients now"}},
		"other version":       {[]byte{0x20, 2, 0, 1}, nil, []string{"does not speak MQTT 3.1.1"}},
		"refuses to subscribe": {connackOK, []byte{0x90, 3, 0, 1, 0x80},
			[]string{"does not let", "subscribe", "topic rules"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, script(t, c.onConnect, c.onSubscribe), linktest.NewCA(t, "devices"), nil).run()
			r.awaitProblem(c.words...)
			r.stop()
			noneLeft(t)
		})
	}
}

func TestEveryEndLeavesNothing(t *testing.T) {
	silent := func(t *testing.T) Config { return script(t, nil, nil) }
	for name, c := range map[string]struct {
		config func(t *testing.T) Config
		until  func(r *rig)
	}{
		"refused": {func(t *testing.T) Config {
			s := linktest.Embedded(t)
			return config(t, s.Devices, s.CA)
		}, func(r *rig) { r.awaitProblem("refuses the device's certificate") }},
		"waiting for CONNACK": {silent, func(r *rig) {
			linktest.Until(r, "the link has a connection", func() bool {
				r.link.mu.Lock()
				defer r.link.mu.Unlock()
				return r.link.conn != nil
			})
		}},
		"between attempts": {func(t *testing.T) Config {
			cfg := silent(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			cfg.Broker = "mqtts://" + l.Addr().String()
			_ = l.Close()
			return cfg
		}, func(r *rig) { r.awaitProblem("Nothing listens on") }},
		"in the TLS handshake": {func(t *testing.T) Config {
			cfg := silent(t)
			l, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, and says nothing
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			cfg.Broker = "mqtts://" + l.Addr().String()
			return cfg
		}, func(*rig) {}},
		"waiting for SUBACK": {func(t *testing.T) Config { return script(t, connackOK, nil) }, func(*rig) {}},
		"at once":            {silent, func(*rig) {}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, c.config(t), linktest.NewCA(t, "devices"), nil).run()
			c.until(r)
			r.stop()
			noneLeft(t)
		})
	}
}

func TestEndOfAServingLinkLeavesNothing(t *testing.T) {
	for name, fault := range map[string]func(*linktest.Proxy){
		"healthy":   func(*linktest.Proxy) {},
		"half-open": (*linktest.Proxy).Hold,
		"dropped":   (*linktest.Proxy).Drop,
	} {
		t.Run(name, func(t *testing.T) {
			s := linktest.Embedded(t)
			proxy := linktest.NewProxy(t, s.Devices)
			r := newRig(t, config(t, proxy.Address(), s.CA), s.CA, nil).run().awaitOnline()
			fault(proxy)
			r.stop()
			noneLeft(t)
			if err := r.link.Send(linktest.NewClientID(), []byte("late")); !errors.Is(err, ErrOffline) {
				t.Errorf("Send after the end = %v, want ErrOffline", err)
			}
		})
	}
}

func TestSendRefuses(t *testing.T) {
	r := newRig(t, script(t, nil, nil), linktest.NewCA(t, "devices"), nil)
	id := linktest.NewClientID()
	for name, c := range map[string]struct {
		to   proto.ClientID
		size int
		want error
	}{
		"offline":   {id, 1, ErrOffline},
		"too large": {id, proto.MaxMessage + 1, ErrMessage},
		"no client": {"+", 1, ErrMessage},
		"wildcard":  {id + "/#", 1, ErrMessage},
	} {
		if err := r.link.Send(c.to, make([]byte, c.size)); !errors.Is(err, c.want) {
			t.Errorf("%s: Send = %v, want %v", name, err, c.want)
		}
		if err := r.link.Notify(c.to, make([]byte, c.size), func(error) { t.Error("done is called") }); !errors.Is(err, c.want) {
			t.Errorf("%s: Notify = %v, want %v", name, err, c.want)
		}
	}
	r.link.online.Store(true) // nobody empties the outbox
	fill := func(id proto.ClientID) (n int) {
		for r.link.Send(id, make([]byte, messageBytes)) == nil {
			n++
		}
		return n
	}
	const each = accountBytes / (2 * messageBytes)
	for i := range outboxBytes / accountBytes { // one account leaves room for the others
		if n := fill(client(i)); n != each {
			t.Errorf("account %d has room for %d messages, want %d", i, n, each)
		}
	}
	if n := fill(id); n != 0 {
		t.Errorf("beyond all room %d messages are taken", n)
	}
	if err := r.link.Send(id, []byte("x")); !errors.Is(err, ErrFull) {
		t.Errorf("Send to a full outbox = %v, want ErrFull", err)
	}
	for range noticesLength { // which answers don't fill
		if err := r.link.Notify(id, []byte("x"), func(error) {}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.link.Notify(id, []byte("x"), func(error) {}); !errors.Is(err, ErrFull) {
		t.Errorf("Notify beyond its room = %v, want ErrFull", err)
	}
}

func TestRunNeedsAReceiver(t *testing.T) {
	r := newRig(t, script(t, nil, nil), linktest.NewCA(t, "devices"), nil)
	r.link.Deliver(nil)
	if err := r.link.Run(context.Background(), func() { t.Error("ready without a receiver") }); err == nil {
		t.Error("Run without a receiver succeeds")
	}
}

func TestCheckGivesUpWithItsContext(t *testing.T) {
	cfg := script(t, nil, nil)
	ca := linktest.NewCA(t, "devices")
	cert, err := ca.Device(proto.NewDeviceID(), nil)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := Check(ctx, cfg, Login{Certificate: linktest.Must(t, cert, err)}); err == nil || !containsAll(err.Error(), []string{"does not answer"}) {
		t.Errorf("Check() = %v, want that the broker does not answer", err)
	}
}
