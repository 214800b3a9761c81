package live

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// fakeLight counts who holds it; it is broken, or goes out, when the test says so.
type fakeLight struct {
	mu     sync.Mutex
	broken error
	out    error // under a session
	held   int
	ons    int
	off    func()
}

func (l *fakeLight) On() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	l.held++
	l.ons++
	return nil
}

func (l *fakeLight) Off() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held--
	if l.off != nil {
		l.off()
	}
}

func (l *fakeLight) Lit() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == 0 {
		return nil
	}
	return l.out
}

func (l *fakeLight) is(t *testing.T, held, ons int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != held || l.ons != ons {
		t.Errorf("the light is held by %d after it was switched on %d times, want %d and %d", l.held, l.ons, held, ons)
	}
}

func TestWithoutItsLightNothingStarts(t *testing.T) {
	light := &fakeLight{broken: errors.New("no such LED")}
	r := newLitRig(t, DefaultConfig(), newCamera(true), light)
	p := newPeer(t, peerOptions{})
	o := Offer{Client: "c", Owner: true, Session: "one", SDP: p.offer(peerOptions{}), View: true, Listen: true, Signal: p.signal}
	_, _, err := r.Start(t.Context(), o)
	refused(t, err, proto.CodeNoLight)
	light.is(t, 0, 0)
	if r.video.Wanted() || r.audio.Wanted() || len(r.Viewers()) != 0 {
		t.Error("something was started for a session that was refused")
	}
}

func TestTheLightShinesFromBeforeTheFirstFrameToAfterTheLast(t *testing.T) {
	light := &fakeLight{}
	r := newLitRig(t, DefaultConfig(), newCamera(true), light)
	var session *Session
	var atOff, ended bool
	var sent Stats
	light.off = func() {
		atOff, sent = true, session.Stats()
		select {
		case <-session.Done():
			ended = true
		default:
		}
	}
	p := watch(t, r, "one", peerOptions{})
	session = p.session
	light.is(t, 1, 1) // and nobody is connected yet
	get(t, r.camera.asked)
	r.stream(20*time.Millisecond, 10)
	get(t, p.video)
	light.is(t, 1, 1)
	must(t, r.Bye("c", "one"))
	<-session.Done()
	light.is(t, 0, 1)
	if !atOff || ended {
		t.Errorf("the light went off: %v, after the session had reported its end: %v", atOff, ended)
	}
	if last := session.Stats(); last.Packets != sent.Packets {
		t.Errorf("%d packets had left when the light went off, %d at last", sent.Packets, last.Packets)
	}
}

func TestALightThatGoesOutEndsEverySession(t *testing.T) {
	light := &fakeLight{}
	r := newLitRig(t, DefaultConfig(), newCamera(true), light)
	one, two := watch(t, r, "one", peerOptions{}), watch(t, r, "two", peerOptions{})
	light.is(t, 2, 2)
	light.mu.Lock()
	light.out = errors.New("a trigger drives it")
	light.mu.Unlock()
	for _, p := range []*peer{one, two} {
		select {
		case <-p.session.Done():
		case <-time.After(time.Minute):
			t.Fatal("a session goes on in the dark")
		}
		if got := p.session.Reason(); got != proto.EndLight {
			t.Errorf("reason %q, want %q", got, proto.EndLight)
		}
	}
	light.is(t, 0, 2)
}

// An offer that fails later gives the light back.
func TestAFailedStartLeavesNoLight(t *testing.T) {
	light := &fakeLight{}
	camera := newCamera(true)
	camera.format.ProfileLevelID = "f4001f" // High 4:4:4: nobody offers it
	r := newLitRig(t, DefaultConfig(), camera, light)
	p := newPeer(t, peerOptions{})
	_, _, err := r.Start(t.Context(), Offer{Client: "c", Owner: true, Session: "one", SDP: p.offer(peerOptions{}), View: true, Signal: p.signal})
	refused(t, err, proto.CodeCodec)
	light.is(t, 0, 1)
}
