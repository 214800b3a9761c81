package auth

import (
	"context"
	"testing"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// Whatever comes, as a message or as the claims of a stranger's or a member's
// well-signed one, nothing starts and nothing panics.
func FuzzReceive(f *testing.F) {
	a := openAuthority(f, newState(f))
	anna := newKeys(f)
	enrol(f, a, anna, proto.OwnerScopes()...)
	g := a.NewGate(&inbox{})
	g.journal = &fakeJournal{}
	started := make(chan struct{}, 1)
	g.Handle(proto.OpLive, Rule{Scopes: liveScopes, Logged: true}, func(context.Context, Request) (Result, error) {
		started <- struct{}{}
		return Result{}, nil
	})
	ctx, cancel := context.WithCancel(f.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Run(ctx, func() { close(ready) }) }()
	<-ready
	f.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			f.Error(err)
		}
	})
	good, err := envelope.SealRequest(proto.Request{Audience: g.device, Epoch: 1, ID: "x", Op: proto.OpHello}, anna.sig, g.household.enc.PublicKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "live", "", uint64(1))
	f.Add([]byte("a.b.c.d.e"), "hello", "AAAA", uint64(0))
	f.Fuzz(func(t *testing.T, msg []byte, op, nonce string, seq uint64) {
		g.Receive(t.Context(), anna.id, msg)
		sealed, err := envelope.SealRequest(proto.Request{Audience: g.device, Epoch: 1, Nonce: nonce, Sequence: seq,
			ID: "x", Op: proto.Op(op), Session: op}, anna.sig, g.household.enc.PublicKey())
		if err == nil {
			g.Receive(t.Context(), anna.id, sealed)
		}
		select {
		case <-started:
			t.Error("a session started")
		default:
		}
	})
}
