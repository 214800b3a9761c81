package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// startsADay is what a member's allowance comes to, docs/protocol.md 5.1.
const startsADay = 24*60 + 120

// flooder is a client that sends as fast as the broker takes it.
type flooder struct {
	mqtt mqtt.Client
	keys *home.Keys
	trio envelope.Trio
	to   proto.DeviceID

	mu                sync.Mutex
	nonce, checkpoint string // that answers brought
	seq               uint64
}

func (f *flooder) take(_ mqtt.Client, m mqtt.Message) {
	out, err := envelope.OpenOut(m.Payload(), f.keys.Opener(), f.trio.Sig)
	if err != nil || out.Answer == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nonce = out.Answer.Nonce
	if cp := out.Answer.Checkpoint; cp != "" {
		f.checkpoint = cp
	}
}

// request seals one.
func (f *flooder) request(op proto.Op, sid string, body any) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seq = max(uint64(time.Now().UnixMicro()), f.seq+1) //nolint:gosec // after 1970
	r := proto.Request{Audience: f.to, Epoch: f.trio.Epoch, ID: rand.Text(), IssuedAt: time.Now().Unix(), Op: op, Session: sid}
	if op != proto.OpHello {
		r.Nonce, r.Sequence, r.Checkpoint = f.nonce, f.seq, f.checkpoint
	}
	if body != nil {
		r.Body, _ = json.Marshal(body) // plain values
	}
	msg, _ := envelope.SealRequest(r, f.keys.Signer(), f.trio.Enc) // keys in memory
	return msg
}

func (f *flooder) publish(msg []byte) {
	f.mqtt.Publish(proto.TopicIn(f.to, f.keys.ID()), 0, false, msg).WaitTimeout(patience)
}

// kind is one flood; who sends it is a stranger, a member, or the owner, who waits for
// answers meanwhile: only the broker could send on that one's topic.
type kind struct {
	name, who string
	entries   int  // that one start makes, of what a member's allowance limits
	again     bool // the first message is repeated, which costs the sender nothing
	next      func(f *flooder, i int) []byte
}

var floodKinds = []kind{
	{"a client that is not enrolled", "stranger", 0, true, status},
	{"a member's hellos", "member", 0, true, func(f *flooder, _ int) []byte { return f.request(proto.OpHello, "", nil) }},
	{"a member's one request, repeated", "member", 0, true, status},
	{"a member's good requests", "member", 0, false, status},
	{"a member's settings", "member", 1, false, func(f *flooder, i int) []byte {
		name := fmt.Sprint("camera ", i)
		return f.request(proto.OpSetSettings, "", proto.SettingsChange{Name: &name})
	}},
	{"a member's live sessions", "member", 2, false, func(f *flooder, i int) []byte {
		return f.request(proto.OpLive, fmt.Sprint("s", i), proto.LiveRequest{SDP: "v=0", Scopes: []proto.Scope{proto.ScopeView}})
	}},
	{"the broker on the topic of the one who waits", "owner", 0, true, status},
}

func status(f *flooder, _ int) []byte { return f.request(proto.OpStatus, "", nil) }

// floods measures how long a member waits while others flood, and what it costs.
func (b *bench) floods() error {
	h, err := b.household(smallCamera)
	if err != nil {
		return err
	}
	defer h.close()
	for _, k := range floodKinds {
		fmt.Fprintf(os.Stderr, "   %s\n", k.name)
		if err := b.flood(h, k); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return nil
}

// flood measures one kind, beside the same time without it.
func (b *bench) flood(h *household, k kind) error {
	f, err := b.flooder(h, k.who)
	if err != nil {
		return err
	}
	defer f.mqtt.Disconnect(0)
	quiet, err := b.ask(h)
	if err != nil {
		return err
	}
	before, err := h.entries(b.ctx)
	if err != nil {
		return err
	}
	var over atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		msg := k.next(f, 0)
		for i := 1; !over.Load(); i++ {
			if f.publish(msg); !k.again {
				msg = k.next(f, i)
			}
		}
	})
	amid, err := b.ask(h)
	over.Store(true)
	wg.Wait()
	if err != nil {
		return err
	}
	if err := b.pause(refill); err != nil {
		return err
	}
	after, err := h.entries(b.ctx)
	if err != nil {
		return err
	}
	with := "flood of " + k.name + ": "
	for _, q := range []string{"p50", "p95"} {
		if len(amid.took) == 0 {
			break
		}
		b.report.pair(with+"another member's request, "+q, "ms", ms(quantile(amid.took, quantiles[q])), ms(quantile(quiet.took, quantiles[q])))
	}
	b.report.add("camd", with+"requests that were never answered", "%", 100*float64(amid.lost)/float64(amid.lost+len(amid.took)))
	b.report.pair(with+"resident memory", "MB", amid.memory, quiet.memory)
	day := (amid.written - quiet.written) * float64(24*time.Hour) / float64(amid.window) // beyond what is written anyway
	if k.entries > 0 && after > before {
		day = amid.written / (after - before) * float64(k.entries) * startsADay
	}
	b.report.add("camd", with+"written in a day", "MB", max(0, day)/1e6)
	return nil
}

// refill is the time after which everyone's allowance of messages is full again.
const refill = 6 * time.Second

// flooder connects who floods, and has a nonce and a checkpoint for it.
func (b *bench) flooder(h *household, who string) (f *flooder, err error) {
	f = &flooder{keys: h.owner.Keys(), to: h.owner.Record().Device}
	if f.trio, err = trioOf(h.owner.Record()); err != nil {
		return nil, err
	}
	switch who {
	case "stranger":
		f.keys, err = home.NewKeys()
	case "member":
		f.keys, err = h.let(b.ctx, proto.RoleOwner)
	}
	if err != nil {
		return nil, err
	}
	cert, err := h.ca.Viewer(f.keys.ID())
	if err != nil {
		return nil, err
	}
	f.mqtt = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("mqtts://" + h.broker.Address()).SetClientID(string(f.keys.ID()) + "-flood").
		SetTLSConfig(&tls.Config{RootCAs: h.ca.Pool(), Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}))
	if t := f.mqtt.Connect(); !t.WaitTimeout(patience) || t.Error() != nil {
		return nil, fmt.Errorf("connect: %w", t.Error())
	}
	f.mqtt.Subscribe(proto.TopicOut(f.to, f.keys.ID()), 0, f.take).WaitTimeout(patience)
	for _, op := range []proto.Op{proto.OpHello, proto.OpStatus} {
		f.publish(f.request(op, "", nil))
		if err := b.pause(300 * time.Millisecond); err != nil {
			return nil, err
		}
	}
	return f, b.pause(refill)
}

func trioOf(r home.Record) (envelope.Trio, error) {
	key, err := x509.ParsePKIXPublicKey(r.Identity)
	if err != nil {
		return envelope.Trio{}, err
	}
	return envelope.VerifyTrio([]byte(r.Trio), key.(*ecdsa.PublicKey)) // pairing has seen that it is one
}

// asked is what one window saw.
type asked struct {
	took            []time.Duration
	lost            int
	window          time.Duration
	memory, written float64 // MB at the end, bytes
}

// ask asks for the status again and again.
func (b *bench) ask(h *household) (a asked, err error) {
	pid, began := h.daemon.Process.Pid, time.Now()
	before, err := written(pid)
	if err != nil {
		return a, err
	}
	for ; a.window < b.Window; a.window = time.Since(began) {
		if took, err := h.status(b.ctx); err == nil {
			a.took = append(a.took, took)
		} else {
			a.lost++
		}
		if err := b.pause(50 * time.Millisecond); err != nil {
			return a, err
		}
	}
	if a.written, err = written(pid); err != nil {
		return a, err
	}
	a.written -= before
	a.memory, err = memory(pid, "Rss")
	return a, err
}

// entries is how many the access log has.
func (h *household) entries(ctx context.Context) (float64, error) {
	p, err := h.owner.LogPage(ctx, 0)
	return float64(p.Size), err
}
