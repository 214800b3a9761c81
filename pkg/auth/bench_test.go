package auth

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// heard tells of each message that the device sends.
type heard chan proto.ClientID

func (h heard) Send(to proto.ClientID, _ []byte) error { h <- to; return nil }

func (h heard) Notify(_ proto.ClientID, _ []byte, done func(error)) error { done(nil); return nil }

// benchGate is a gate that runs, with so many members; the first is returned.
func benchGate(b *testing.B, members int) (*Gate, keys, heard) {
	b.Helper()
	a := openAuthority(b, newState(b))
	anna := newKeys(b)
	enrol(b, a, anna, proto.OwnerScopes()...)
	for range members - 1 {
		enrol(b, a, newKeys(b), proto.OwnerScopes()...)
	}
	out := make(heard, 2*members)
	g := newGate(a, Deps{Sender: out})
	g.Handle(proto.OpStatus, forQuery(func(context.Context, Request) (Result, error) {
		return Result{Body: proto.StatusAnswer{Device: g.device, Version: "1.0.0"}}, nil
	}))
	ctx, cancel := context.WithCancel(b.Context())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- g.Run(ctx, func() { close(ready) }) }()
	<-ready
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return g, anna, out
}

// BenchmarkAnswer is what a request costs the device that changes nothing: open,
// verify, decide, prove the log, sign, seal. The client's part is not in it.
func BenchmarkAnswer(b *testing.B) {
	g, anna, out := benchGate(b, 1)
	cp, err := g.authority.journal.log.Checkpoint()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := g.journal.Append(accesslog.Entry{Kind: accesslog.KindHostile, Drops: &accesslog.Drops{Garbled: 1}}); err != nil {
		b.Fatal(err) // so that there is something to prove
	}
	seq := uint64(0)
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		seq++
		msg, err := envelope.SealRequest(proto.Request{Audience: g.device, Epoch: g.keys.epoch, Nonce: g.queues.nonces.fresh(),
			Sequence: seq, ID: rand.Text(), IssuedAt: time.Now().Unix(), Op: proto.OpStatus, Checkpoint: cp.Note}, anna.sig, g.keys.enc.PublicKey())
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		g.Receive(b.Context(), anna.id, msg)
		<-out
	}
}

// BenchmarkNotice is what one entry costs that all members are told of.
func BenchmarkNotice(b *testing.B) {
	text, err := accesslog.Entry{Version: accesslog.Version, Kind: accesslog.KindLive, Time: 1796295600000, Epoch: 1,
		Client: proto.ClientID(strings.Repeat("A", 43)), Name: "Anna", Op: proto.OpLive, Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen},
		Network: accesslog.NetMQTT, Session: "0123456789abcdef"}.Bytes()
	if err != nil {
		b.Fatal(err)
	}
	for _, members := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			g, _, _ := benchGate(b, members)
			n := notice{index: 7, previous: 5, text: string(text)}
			for b.Loop() {
				for _, m := range g.members.current.Load().members {
					if _, err := g.keys.sealNotice(n, m); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
