package broker

import (
	"crypto/tls"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
)

func TestCertificateRules(t *testing.T) {
	w := start(t)
	other, err := pki.NewCA("other")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	good := w.cert(w.ca.Device(devA, nil))
	for name, cfg := range map[string]*tls.Config{
		"no certificate":  {},
		"expired":         {Certificates: []tls.Certificate{w.cert(w.ca.Between(now.Add(-2*time.Hour), now.Add(-time.Hour)).Device(devA, nil))}},
		"not yet valid":   {Certificates: []tls.Certificate{w.cert(w.ca.Between(now.Add(time.Hour), now.Add(2*time.Hour)).Device(devA, nil))}},
		"other authority": {Certificates: []tls.Certificate{w.cert(other.Device(devA, nil))}},
		"a broker's":      {Certificates: []tls.Certificate{w.cert(w.ca.Server("127.0.0.1"))}},
		"no URI name":     {Certificates: []tls.Certificate{w.cert(w.ca.Client(string(devA)))}},
		"TLS 1.2":         {Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12},
	} {
		c, err := w.dial(cfg)
		if err == nil { // in TLS 1.3 the refusal comes at the first read
			_, _ = c.Write([]byte{0x10, 0})
			_, _, err = c.read()
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, code := w.connect(good, connectPacket(secret)); code != 0 {
		t.Errorf("good certificate: CONNACK %d", code)
	}
}

func TestConnectRules(t *testing.T) {
	w := start(t)
	dev, cli := w.cert(w.ca.Device(devA, nil)), w.cert(w.ca.Viewer(cliA))
	will := func(topic string) func(*packets.Packet) {
		return func(p *packets.Packet) {
			p.Connect.WillFlag, p.Connect.WillTopic, p.Connect.WillPayload = true, topic, []byte("x")
		}
	}
	for _, c := range []struct {
		name   string
		cert   tls.Certificate
		id     string
		change func(*packets.Packet)
		want   byte
	}{
		{"device", dev, secret, will(proto.TopicStatus(devA)), 0},
		{"viewer", cli, string(cliA) + "-t", nil, 0},
		{"device by its name", dev, string(devA), nil, 5},
		{"viewer as a device", cli, secret, nil, 5},
		{"viewer as device", cli, string(devA), nil, 5},
		{"viewer as another", cli, string(cliB) + "-t", nil, 5},
		{"persistent session", dev, secret, func(p *packets.Packet) { p.Connect.Clean = false }, 5},
		{"no keep-alive", dev, secret, func(p *packets.Packet) { p.Connect.Keepalive = 0 }, 5},
		{"will elsewhere", dev, secret, will(proto.TopicStatus(devB)), 5},
	} {
		pk := connectPacket(c.id)
		if c.change != nil {
			c.change(&pk)
		}
		if _, code := w.connect(c.cert, pk); code != c.want {
			t.Errorf("%s: CONNACK %d, want %d", c.name, code, c.want)
		}
	}
}

func TestMessagesReachOnlyTheirOwner(t *testing.T) {
	w := start(t)
	dev, a, b := w.device(devA), w.viewer(cliA), w.viewer(cliB)
	for _, c := range []struct {
		who    *client
		filter string
		want   byte
	}{
		{dev, proto.TopicInFilter(devA), 0}, {dev, proto.TopicInFilter(devB), 0x80},
		{a, "camd/v1/+/out/" + string(cliA), 0}, {b, "camd/v1/+/out/" + string(cliB), 0},
		{b, "camd/v1/+/out/" + string(cliA), 0x80}, {b, "camd/v1/#", 0x80}, {b, proto.TopicInFilter(devA), 0x80},
	} {
		if got := c.who.subscribe(c.filter); got != c.want {
			t.Errorf("SUBACK %#x for %s, want %#x", got, c.filter, c.want)
		}
	}
	// What is refused comes first: had it been carried, it would arrive first.
	b.publish(proto.TopicIn(devA, cliA), "forged", false)
	b.publish(proto.TopicIn(devA, cliB), "of b", false)
	if topic, got := dev.delivered(); topic != proto.TopicIn(devA, cliB) || got != "of b" {
		t.Errorf("the device got %q on %s", got, topic)
	}
	dev.publish(proto.TopicOut(devB, cliB), "as another device", false)
	dev.publish(proto.TopicOut(devA, cliA), "for a", false)
	dev.publish(proto.TopicOut(devA, cliB), "for b", false)
	if _, got := a.delivered(); got != "for a" {
		t.Errorf("a got %q", got)
	}
	if _, got := b.delivered(); got != "for b" {
		t.Errorf("b got %q", got)
	}
}

func TestOnlyStatusIsRetained(t *testing.T) {
	w := start(t)
	dev := w.device(devA)
	dev.publish(proto.TopicOut(devA, cliA), "answer", true)
	dev.publish(proto.TopicStatus(devA), "status", true)
	dev.subscribe(proto.TopicInFilter(devA)) // its SUBACK says that both were taken

	v := w.viewer(cliA)
	v.subscribe("camd/v1/+/out/" + string(cliA))
	v.subscribe(proto.TopicStatus(devA))
	if topic, got := v.delivered(); topic != proto.TopicStatus(devA) || got != "status" {
		t.Errorf("retained: %q on %s", got, topic)
	}
}

func TestTakeoverPublishesTheWillBeforeTheNewSession(t *testing.T) {
	w := start(t)
	v := w.viewer(cliA)
	v.subscribe(proto.TopicStatus(devA))
	v.subscribe("camd/v1/+/out/" + string(cliA)) // its SUBACK says that what is retained of the first was given
	cert, pk := w.cert(w.ca.Device(devA, nil)), connectPacket(secret)
	pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, proto.TopicStatus(devA), []byte("gone")
	for i := range 5 {
		dev, code := w.connect(cert, pk)
		if code != 0 {
			t.Fatalf("CONNACK %d", code)
		}
		dev.publish(proto.TopicStatus(devA), "born", true)
		if i > 0 {
			if _, got := v.delivered(); got != "gone" {
				t.Fatalf("the session before session %d ends with %q", i, got)
			}
		}
		// What a session that is taken over has sent and the broker not read is lost.
		if _, got := v.delivered(); got != "born" {
			t.Fatalf("session %d begins with %q", i, got)
		}
	}
}

func TestPacketAndSubscriptionLimits(t *testing.T) {
	w := start(t)
	v := w.viewer(cliA)
	for range maxSubscriptions {
		if code := v.subscribe(proto.TopicStatus(proto.NewDeviceID())); code != 0 {
			t.Fatalf("SUBACK %#x below the limit", code)
		}
	}
	if code := v.subscribe(proto.TopicStatus(devA)); code != 0x80 {
		t.Errorf("SUBACK %#x above the limit, want refusal", code)
	}
	v.publish(proto.TopicIn(devA, cliA), strings.Repeat("x", maxPacket), false)
	if _, _, err := v.read(); err == nil {
		t.Error("the broker went on after a packet above its limit")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	w := start(t)
	dev, err := w.dial(&tls.Config{Certificates: []tls.Certificate{w.cert(w.ca.Device(devB, nil))}})
	if err != nil {
		t.Fatal(err)
	}
	session := w.device(devA)
	if err := w.broker.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{dev, session} {
		if _, err := io.Copy(io.Discard, c); err == nil {
			_ = c.Close()
		}
	}
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("goroutines are left:\n%s", buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(time.Millisecond)
	}
}

func TestStartRefusesHalfAConfiguration(t *testing.T) {
	ca, err := pki.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Server("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]Config{
		"no TLS":         {Address: "127.0.0.1:0"},
		"no certificate": {Address: "127.0.0.1:0", TLS: &tls.Config{ClientCAs: ca.Pool()}},
		"no authority":   {Address: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{cert}}},
		"bad address":    {Address: "nowhere", TLS: &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: ca.Pool()}},
	} {
		if b, err := Start(cfg); err == nil {
			_ = b.Close()
			t.Errorf("%s: Start succeeds", name)
		}
	}
}
