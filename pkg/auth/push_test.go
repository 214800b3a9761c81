package auth

import (
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// pushes notes what is handed over for push services.
type pushes struct {
	mu   sync.Mutex
	sent []pushedNotice
}

type pushedNotice struct {
	to       proto.ClientID
	endpoint string
	sealed   []byte
	key      *ecdsa.PrivateKey
}

func (p *pushes) Check(endpoint string) error {
	if strings.Contains(endpoint, "unknown") {
		return errors.New("This camera sends to no push service there.") //nolint:staticcheck // for people
	}
	return nil
}

func (p *pushes) Push(to proto.ClientID, s proto.PushSubscription, sealed []byte, key *ecdsa.PrivateKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, pushedNotice{to, s.Endpoint, sealed, key})
}

// take returns what was pushed since the last call.
func (p *pushes) take() []pushedNotice {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.sent
	p.sent = nil
	return l
}

// noNotices is a broker that takes no notice.
type noNotices struct{ *inbox }

func (noNotices) Notify(proto.ClientID, []byte, func(error)) error { return errors.New("away") }

func subscription(endpoint string) *proto.PushSubscription {
	key := append([]byte{4}, make([]byte, 64)...)
	return &proto.PushSubscription{Endpoint: endpoint, P256DH: base64.RawURLEncoding.EncodeToString(key), Auth: base64.RawURLEncoding.EncodeToString(make([]byte, 16))}
}

func (p *person) subscribes(endpoint string) proto.PushStatus {
	p.h.t.Helper()
	return read[proto.PushStatus](p.h.t, p.must(proto.OpPush, proto.PushRequest{Do: proto.PushDoSet, Subscription: subscription(endpoint)}))
}

// inPushingHouse is inHouse with push services.
func inPushingHouse(t *testing.T, f func(t *testing.T, h *house, p *pushes)) {
	inHouse(t, func(t *testing.T, h *house) {
		p := &pushes{}
		h.pusher = p
		h.restart()
		f(t, h, p)
	})
}

// Nothing is pushed until an owner turns it on, and nothing after anybody who may has turned it off.
func TestPushIsOffUntilAnOwnerTurnsItOn(t *testing.T) {
	inPushingHouse(t, func(t *testing.T, h *house, p *pushes) {
		anna, bob, _, _ := h.household()
		if s := anna.subscribes("https://push.example/anna"); s.On || !s.Subscribed || s.Problem != "" {
			t.Errorf("%+v", s)
		}
		anna.lets("Hanna", proto.RoleAdult)
		if l := p.take(); len(l) != 0 {
			t.Errorf("pushed while it is off: %d", len(l))
		}
		bob.want(proto.CodeScope, proto.OpSetSettings, proto.SettingsChange{Push: new(proto.PushOn)}) // without the scope settings
		anna.must(proto.OpSetSettings, proto.SettingsChange{Push: new(proto.PushOn)})
		anna.lets("Ed", proto.RoleAdult)
		l := p.take()
		if len(l) != 1 || l[0].to != anna.id || l[0].endpoint != "https://push.example/anna" {
			t.Fatalf("pushed: %+v", l)
		}
		o, err := envelope.OpenOut(l[0].sealed, anna.enc, &h.gate.keys.sig.PublicKey)
		if err != nil || o.Notice == nil || o.Notice.Audience != anna.id || !strings.Contains(o.Notice.Entry, `"Ed"`) {
			t.Errorf("the page opens %+v, %v", o, err)
		}
		if key := read[proto.PushStatus](t, anna.must(proto.OpPush, proto.PushRequest{Do: proto.PushDoStatus})).Key; key != encoded(t, l[0].key) {
			t.Error("another key signs than the one that the page was told")
		}
		anna.must(proto.OpSetSettings, proto.SettingsChange{Push: new(proto.PushOff)})
		anna.lets("Fay", proto.RoleAdult)
		if l := p.take(); len(l) != 0 {
			t.Errorf("pushed after it was turned off: %d", len(l))
		}
	})
}

// An adult with the scope settings may turn it off, and not on.
func TestPushIsForOwners(t *testing.T) {
	inPushingHouse(t, func(t *testing.T, h *house, _ *pushes) {
		anna, _, _, _ := h.household()
		gus := anna.lets("Gus", proto.RoleAdult, func(g *proto.Grant) { g.Scopes = append(g.Scopes, proto.ScopeSettings) })
		gus.want(proto.CodeScope, proto.OpSetSettings, proto.SettingsChange{Push: new(proto.PushOn)})
		anna.must(proto.OpSetSettings, proto.SettingsChange{Push: new(proto.PushOn)})
		gus.hello()
		gus.must(proto.OpStatus, nil)
		gus.must(proto.OpSetSettings, proto.SettingsChange{Push: new(proto.PushOff)})
		if s := h.a.Settings(); s.Push != proto.PushOff {
			t.Errorf("%+v", s)
		}
		if s, err := h.a.ChangeSettings(proto.SettingsChange{Push: new(proto.PushOn)}); err != nil || s.Push != proto.PushOn {
			t.Errorf("at the device: %+v, %v", s, err)
		}
	})
}

func encoded(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(point)
}

// A subscription is the member's own, outlives a restart, and goes with the member.
func TestSubscriptionGoesWithItsMember(t *testing.T) {
	inPushingHouse(t, func(t *testing.T, h *house, p *pushes) {
		anna, bob, _, _ := h.household()
		anna.must(proto.OpSetSettings, proto.SettingsChange{Push: new(proto.PushOn)})
		bob.subscribes("https://push.example/old")
		bob.subscribes("https://push.example/bob")
		if s := bob.subscribes("https://unknown.example/bob"); !strings.Contains(s.Problem, "no push service there") || !s.Subscribed {
			t.Errorf("an unknown push service: %+v", s)
		}
		h.restart()
		anna.must(proto.OpStatus, nil)
		p.take()
		anna.lets("Hanna", proto.RoleAdult)
		if l := p.take(); len(l) != 1 || l[0].endpoint != "https://push.example/bob" {
			t.Errorf("after a restart: %+v", l)
		}
		h.line.use(noNotices{h.out})
		if _, err := h.a.Ring(); err != nil {
			t.Fatal(err)
		}
		anna.must(proto.OpRevoke, proto.Revoke{Client: bob.id})
		bob.notices = nil
		h.line.use(h.out)
		h.gate.Online()
		l := p.take()
		if h.deliver(); len(l) != 0 {
			t.Errorf("pushed to who was removed: %+v", l)
		}
		if len(bob.notices) == 0 {
			t.Error("the notices that waited were not sent, so nothing was shown")
		}
	})
}

// A subscription ends when its member or its push service says so, and no other one does.
func TestSubscriptionEnds(t *testing.T) {
	inPushingHouse(t, func(t *testing.T, h *house, p *pushes) {
		anna, _, _, _ := h.household()
		anna.must(proto.OpSetSettings, proto.SettingsChange{Push: new(proto.PushOn)})
		status := func() bool {
			return read[proto.PushStatus](t, anna.must(proto.OpPush, proto.PushRequest{Do: proto.PushDoStatus})).Subscribed
		}
		anna.subscribes("https://push.example/a")
		h.a.EndPush(anna.id, *subscription("https://push.example/b"))
		if !status() {
			t.Error("the end of another subscription ended this one")
		}
		h.a.EndPush(anna.id, *subscription("https://push.example/a"))
		if status() {
			t.Error("its push service ended it, and it is there")
		}
		anna.subscribes("https://push.example/a")
		if s := read[proto.PushStatus](t, anna.must(proto.OpPush, proto.PushRequest{Do: proto.PushDoRemove})); s.Subscribed || status() {
			t.Error("she ended it, and it is there")
		}
	})
}

func TestBadPushRequests(t *testing.T) {
	good := subscription("https://push.example/a")
	for name, change := range map[string]func(*proto.PushRequest){
		"unknown":       func(q *proto.PushRequest) { q.Do = "shout" },
		"without one":   func(q *proto.PushRequest) { q.Subscription = nil },
		"status of one": func(q *proto.PushRequest) { q.Do = proto.PushDoStatus },
		"http":          func(q *proto.PushRequest) { q.Subscription.Endpoint = "http://push.example/a" },
		"no address":    func(q *proto.PushRequest) { q.Subscription.Endpoint = "" },
		"a user":        func(q *proto.PushRequest) { q.Subscription.Endpoint = "https://a@push.example/a" },
		"a port":        func(q *proto.PushRequest) { q.Subscription.Endpoint = "https://push.example:22/a" },
		"a line end":    func(q *proto.PushRequest) { q.Subscription.Endpoint += "\r\nx" },
		"too long":      func(q *proto.PushRequest) { q.Subscription.Endpoint += strings.Repeat("a", 1024) },
		"a short key":   func(q *proto.PushRequest) { q.Subscription.P256DH = q.Subscription.Auth },
		"a padded key":  func(q *proto.PushRequest) { q.Subscription.P256DH += "=" },
		"a long secret": func(q *proto.PushRequest) { q.Subscription.Auth += "AAAA" },
	} {
		s := *good
		q := proto.PushRequest{Do: proto.PushDoSet, Subscription: &s}
		if !q.Valid() {
			t.Fatal("the good one is refused")
		}
		if change(&q); q.Valid() {
			t.Errorf("%s: %+v is taken", name, q)
		}
	}
}
