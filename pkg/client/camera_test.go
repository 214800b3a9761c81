package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

func TestCallReturnsTheSignedAnswer(t *testing.T) {
	d, c := dialled(t)
	d.handle = func(r proto.Request) (proto.Code, any) {
		return proto.CodeOK, map[string]string{"op": string(r.Op), "sid": r.Session, "body": string(r.Body)}
	}
	a, err := c.Call(t.Context(), proto.OpStatus, "s", map[string]int{"x": 1})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"body":"{\"x\":1}","op":"status","sid":"s"}`; string(a.Body) != want {
		t.Errorf("body %s, want %s", a.Body, want)
	}
}

func TestRefusalCarriesItsCodeAndSentence(t *testing.T) {
	d, c := dialled(t)
	d.handle = func(proto.Request) (proto.Code, any) { return proto.CodeTooManySessions, nil }
	_, err := c.Call(t.Context(), proto.OpLive, "s", nil)
	var refused *Refused
	if !errors.As(err, &refused) || refused.Code != proto.CodeTooManySessions || err.Error() != proto.CodeTooManySessions.Sentence() {
		t.Errorf("Call = %v", err)
	}
}

func TestStaleNonceIsMadeGoodWithTheSameRequest(t *testing.T) {
	d, c := dialled(t)
	if _, err := c.Call(t.Context(), proto.OpStatus, "", nil); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.nonce, d.requests = randomID(), nil // as after two rotations or a restart
	d.highest += 1 << 40                  // and with our clock far behind
	d.mu.Unlock()
	if _, err := c.Call(t.Context(), proto.OpStatus, "", nil); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.requests) != 2 {
		t.Fatalf("%d requests, want 2", len(d.requests))
	}
	if a, b := d.requests[0], d.requests[1]; a.ID != b.ID || a.Nonce == b.Nonce || b.Sequence <= a.Sequence {
		t.Errorf("sent again as %+v after %+v", b, a)
	}
}

func TestEndlessStaleIsGivenUp(t *testing.T) {
	d, c := dialled(t)
	d.alwaysNo = true
	_, err := c.Call(t.Context(), proto.OpStatus, "", nil)
	var p *home.Problem
	if !errors.As(err, &p) || len(d.requests) != 1+maxAttempts {
		t.Errorf("Call = %v after %d requests", err, len(d.requests))
	}
}

func TestLostRequestIsSentAgain(t *testing.T) {
	d, c := dialled(t)
	d.mute = 1
	if _, err := c.Call(t.Context(), proto.OpStatus, "", nil); err != nil {
		t.Fatal(err)
	}
}

// Nothing is carried out that nobody wants any more. What takes something away is wanted
// however late.
func TestTTL(t *testing.T) {
	privacy := func(body string) proto.Request { return proto.Request{Op: proto.OpPrivacy, Body: []byte(body)} }
	for _, x := range []struct {
		r    proto.Request
		wait time.Duration
		want uint64
	}{
		{proto.Request{Op: proto.OpLive}, 26 * time.Second, 26},
		{proto.Request{Op: proto.OpTalk}, 40*time.Second + 1, 41},
		{proto.Request{Op: proto.OpGrant}, time.Millisecond, 1},
		{proto.Request{Op: proto.OpStatus}, -time.Minute, 1}, // given up already
		{privacy(`{"on":false}`), time.Minute, 60},
		{privacy(`{"on":true}`), time.Minute, 0},
		{proto.Request{Op: proto.OpRevoke}, time.Minute, 0},
		{proto.Request{Op: proto.OpBye}, time.Minute, 0},
		{proto.Request{Op: proto.OpAlarm}, time.Minute, 0},
	} {
		if got := ttl(x.r, x.wait); got != x.want {
			t.Errorf("%s %s, %v: %d, want %d", x.r.Op, x.r.Body, x.wait, got, x.want)
		}
	}
}

func TestRequestsSayHowLongTheyAreWaitedFor(t *testing.T) {
	d, c := dialled(t)
	began := time.Now()
	status(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // does not make it longer
	defer cancel()
	_, talk := c.Call(ctx, proto.OpTalk, "t", proto.TalkRequest{Live: "s"})
	ctx, cancel = context.WithTimeout(t.Context(), 4*answerTimeout)
	defer cancel()
	_, hurry := c.Call(ctx, proto.OpWiFi, "", nil)
	if err := errors.Join(talk, hurry); err != nil {
		t.Fatal(err)
	}
	took := uint64(time.Since(began)/time.Second) + 1
	d.mu.Lock()
	defer d.mu.Unlock()
	got := map[proto.Op]uint64{}
	for _, r := range d.requests {
		got[r.Op] = r.TTL
	}
	for op, want := range map[proto.Op]uint64{proto.OpStatus: 16, proto.OpTalk: 40, proto.OpWiFi: 16} {
		if got[op] < want || got[op] > want+took {
			t.Errorf("%s: %d s after its nonce came, want %d", op, got[op], want)
		}
	}
	if got[proto.OpHello] != 0 {
		t.Errorf("hello: %d s", got[proto.OpHello])
	}
}

func TestForgedAnswersAreNotHeard(t *testing.T) {
	d, c := dialled(t)
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	d.handle = func(r proto.Request) (proto.Code, any) {
		good := d.epoch
		d.answer(r, proto.CodeNotPaired, nil, other) // not the household's key
		d.epoch = 2
		d.answer(r, proto.CodeNotPaired, nil, d.hhSig) // another epoch
		d.epoch = good
		forMe := r
		forMe.Issuer = proto.ClientID(strings.Repeat("A", 43))
		d.answer(forMe, proto.CodeNotPaired, nil, d.hhSig) // another audience, on a topic we don't hear
		d.mqtt.Publish(proto.TopicOut(d.id, r.Issuer), 1, false, "garbage")
		return proto.CodeOK, nil
	}
	if _, err := c.Call(t.Context(), proto.OpStatus, "", nil); err != nil {
		t.Fatal(err)
	}
	if n := c.Dropped(); n != 3 {
		t.Errorf("%d messages dropped, want 3", n)
	}
}

// TestAnswersOfBeforeAreNotHeard replays what the camera once signed: that was true then.
func TestAnswersOfBeforeAreNotHeard(t *testing.T) {
	d, c := dialled(t)
	status(t, c)
	old := proto.Answer{Issuer: d.id, Audience: c.keys.ID(), Epoch: 1, Re: "before", Code: proto.CodeOK, Nonce: "before", Clock: 1, Noticed: 7}
	d.wait(d.mqtt.Publish(proto.TopicOut(d.id, c.keys.ID()), 1, false, must(envelope.SealAnswer(old, d.hhSig, d.client.Enc))))
	status(t, c) // comes after it
	if l := c.Warnings(t.Context()); len(l) != 0 {
		t.Errorf("warnings: %q", l)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.requests); n != 3 { // hello and two
		t.Errorf("%d requests: the nonce of before was taken for the newest", n)
	}
}

// TestUsedUpSequenceEndsWithTheCameras has somebody use all numbers up under this key.
func TestUsedUpSequenceEndsWithTheCameras(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	d.highest = maxSequence
	c := must(Dial(t.Context(), h, keys, r, quiet))
	if _, err := c.Call(t.Context(), proto.OpStatus, "", nil); err == nil {
		t.Error("a number above the highest")
	}
	c.Close()
	d.mu.Lock()
	d.highest = 0 // a restart
	d.mu.Unlock()
	c = must(Dial(t.Context(), h, keys, r, quiet))
	defer c.Close()
	status(t, c)
}

// Anyone who can publish at the broker once can say that.
func TestOfflineIsBelievedOfASilentCameraOnly(t *testing.T) {
	d, c := dialled(t)
	d.say(false)
	for { // the status travels beside the calls
		if s, known := c.Status(t.Context()); known && !s.Online {
			break
		}
	}
	status(t, c)
	d.mu.Lock()
	d.mute = 100
	d.mu.Unlock()
	if _, err := c.Call(t.Context(), proto.OpStatus, "", nil); !errors.Is(err, ErrOffline) {
		t.Errorf("Call = %v, want ErrOffline", err)
	}
}

func TestCallUnderWayFailsWhenTheCameraGoesOffline(t *testing.T) {
	d, c := dialled(t)
	d.handle = func(proto.Request) (proto.Code, any) {
		d.mute = 100
		go d.say(false)
		d.epoch = 99 // this answer is not heard
		return proto.CodeOK, nil
	}
	if _, err := c.Call(t.Context(), proto.OpStatus, "", nil); !errors.Is(err, ErrOffline) {
		t.Errorf("Call = %v, want ErrOffline", err)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	d, c := dialled(t)
	heard := make(chan struct{})
	d.handle = func(proto.Request) (proto.Code, any) { close(heard); d.epoch = 99; return proto.CodeOK, nil }
	failed := make(chan error)
	go func() { _, err := c.Call(context.Background(), proto.OpStatus, "", nil); failed <- err }()
	<-heard
	c.Close()
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("Call = %v, want ErrClosed", err)
	}
	if _, _, err := c.Signals(t.Context(), "s"); !errors.Is(err, ErrClosed) {
		t.Errorf("Signals = %v, want ErrClosed", err)
	}
}

func TestSignalsComeInOrderWithGapsCounted(t *testing.T) {
	d, c := dialled(t)
	signals, cancel, err := c.Signals(t.Context(), "mine")
	if err != nil {
		t.Fatal(err)
	}
	d.signal("mine", proto.SignalCandidate, 1, 0)
	d.signal("other", proto.SignalCandidate, 2, 0)
	d.mu.Lock()
	d.signals = 0
	d.mu.Unlock()
	d.signal("mine", proto.SignalCandidate, "repeated", 0)
	d.signal("mine", proto.SignalEnd, 4, 2)
	first, second := <-signals, <-signals
	if string(first.Body) != "1" || first.Missed != 0 || string(second.Body) != "4" || second.Missed != 2 || second.Kind != proto.SignalEnd {
		t.Errorf("got %+v, %+v", first, second)
	}
	cancel()
	if _, open := <-signals; open {
		t.Error("the channel is open after cancel")
	}
}

func TestSequenceOutlivesTheProcess(t *testing.T) {
	d, h, keys, r := paired(t)
	d.connect()
	for want := 1; want <= 2; want++ {
		c := must(Dial(t.Context(), h, keys, r, quiet))
		if _, err := c.Call(t.Context(), proto.OpStatus, "", nil); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if got := must(home.OpenHousehold(h, r)).Sequence(); got != d.highest {
			t.Errorf("run %d left %d, the camera heard %d", want, got, d.highest)
		}
	}
}

func TestDialSaysWhyTheBrokerCantBeUsed(t *testing.T) {
	d, _, keys, good := paired(t)
	other := must(pki.NewCA("other"))
	stranger := must(other.Viewer(keys.ID()))
	elsewhere := must(d.ca.Viewer(proto.ClientID(strings.Repeat("A", 43))))
	for _, c := range []struct {
		name   string
		change func(*home.Broker)
		want   string
	}{
		{"authority", func(b *home.Broker) { b.CA = string(other.PEM()) }, "not by the authority that is pinned"},
		{"name", func(b *home.Broker) { b.ServerName = "camera.example" }, "for another name than camera.example"},
		{"nothing there", func(b *home.Broker) { b.URL = "mqtts://127.0.0.1:1" }, "nothing listens"},
		{"no certificate", func(b *home.Broker) { b.Certificate, b.Key = "", "" }, "and this client has none"},
		{"foreign certificate", func(b *home.Broker) {
			b.Certificate, b.Key = string(pki.CertificatePEM(stranger)), string(must(pki.KeyPEM(stranger)))
		}, "does not accept this client's certificate"},
		{"other client's certificate", func(b *home.Broker) {
			b.Certificate, b.Key = string(pki.CertificatePEM(elsewhere)), string(must(pki.KeyPEM(elsewhere)))
		}, "does not accept this client's login"},
		{"no authority", func(b *home.Broker) { b.CA = "x" }, "no certificate in PEM form"},
		{"address", func(b *home.Broker) { b.URL = "http://x" }, "must look like mqtts://"},
		{"half a pair", func(b *home.Broker) { b.Key = "" }, "one of them is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := good
			c.change(&r.Broker)
			_, err := Dial(t.Context(), nil, keys, r, quiet)
			var p *home.Problem
			if !errors.As(err, &p) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Dial = %v, want %q", err, c.want)
			}
		})
	}
}

func TestNewSessionBodyIsSmallEnough(t *testing.T) {
	d, c := dialled(t)
	d.handle = func(r proto.Request) (proto.Code, any) {
		var live proto.LiveRequest
		if err := json.Unmarshal(r.Body, &live); err != nil || !strings.Contains(live.SDP, "b=TIAS:500000\r\n") || strings.Contains(live.SDP, "a=candidate") {
			t.Errorf("offer %v:\n%s", err, live.SDP)
		}
		return proto.CodeNoMedia, nil
	}
	_, err := c.Watch(t.Context(), WatchOptions{Video: func(Frame) {}, Audio: func(Frame) {}, MaxBitrate: 500000})
	var refused *Refused
	if !errors.As(err, &refused) || refused.Code != proto.CodeNoMedia {
		t.Errorf("Watch = %v", err)
	}
}
