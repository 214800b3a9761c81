package attack

import (
	"context"
	"log"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

const synthetic = "[capture]\nsource = \"synthetic\"\nwidth = 320\nheight = 180\nrate = 10\n[audio]\nsource = \"tone\"\n"

func TestMain(m *testing.M) {
	if state := os.Getenv(evictVariable); state != "" { // a child
		if err := evict(state); err != nil {
			log.Fatal(err)
		}
		return
	}
	if state := os.Getenv(wifiVariable); state != "" {
		if err := changeWiFi(state); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

// house is a camera behind a broker that belongs to the attacker.
type house struct {
	*rig.Rig
	t     *testing.T
	evil  *hostile.Broker
	owner *client.Camera
	// probe speaks with the owner's keys: what it is answered shows that camd has
	// decided about everything that came before.
	probe *hostile.Client
}

func newHome(t *testing.T) *house {
	t.Helper()
	return newHomeOf(t, newKeys(t))
}

// newHomeOf makes one whose owner has these keys.
func newHomeOf(t *testing.T, keys *home.Keys) *house {
	t.Helper()
	return newHomeWith(t, keys, synthetic)
}

// newHomeWith makes one whose camd has this configuration.
func newHomeWith(t *testing.T, keys *home.Keys, tables string) *house {
	t.Helper()
	h := &house{t: t}
	h.Rig = rig.NewWith(t, tables, func(ca *pki.CA, _ string) (rig.Broker, error) {
		h.evil = hostile.Start(t, ca)
		return h.evil, nil
	})
	h.pair(keys)
	return h
}

// pair starts camd, and the owner pairs.
func (h *house) pair(keys *home.Keys) {
	h.t.Helper()
	h.Start()
	h.Online()
	h.OpenWindow("Anna")
	record, err := h.Join(keys, h.Label)
	if err != nil {
		h.t.Fatal(err)
	}
	h.owner = h.Dial(keys, record)
	h.probe = hostile.NewClient(h.t, h.evil, h.owner.Keys(), h.owner.Record())
	h.probe.Hello()
}

// sees fails unless an honest member gets a picture and sound. This is the control
// that an attack which fails needs: all would work for somebody who may.
func (h *house) sees(who *client.Camera) {
	h.t.Helper()
	var pictures, sounds atomic.Int64
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	s, err := who.Watch(ctx, client.WatchOptions{
		Video: func(client.Frame) { pictures.Add(1) }, Audio: func(client.Frame) { sounds.Add(1) },
	})
	if err != nil {
		h.t.Fatalf("a member can't watch: %v", err)
	}
	defer s.Close()
	h.Until("a member sees and hears", func() bool { return pictures.Load() > 2 && sounds.Load() > 2 })
	s.Close()
	h.Until("the member's session is over", func() bool { return len(h.sessions()) == 0 })
}

func (h *house) sessions() []proto.Viewer {
	h.t.Helper()
	s, err := h.Status()
	if err != nil {
		h.t.Fatal(err)
	}
	return s.Sessions
}

// nothingBegan fails if camd does anything for anyone now. Everything that was
// published before has been decided about first.
func (h *house) nothingBegan(after string) {
	h.t.Helper()
	h.probe.Settle()
	if l := h.sessions(); len(l) != 0 {
		h.t.Errorf("after %s there are sessions: %+v", after, l)
	}
	for _, s := range h.Sockets() {
		if !s.Outbound() {
			h.t.Errorf("after %s camd holds %v", after, s)
		}
	}
}

// silent fails if camd has said anything to a client.
func (h *house) silent(to proto.ClientID) {
	h.t.Helper()
	for _, m := range h.evil.Messages() {
		if m.Topic == proto.TopicOut(h.Device, to) && m.Client != "" {
			h.t.Errorf("camd sent %d bytes to a key that is not enrolled", len(m.Payload))
		}
	}
}

// newKeys makes a client's keys.
func newKeys(t *testing.T) *home.Keys {
	t.Helper()
	k, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// until is Rig.Until for what takes long.
func until(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
