package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// smallCamera sends most pictures in one packet, so that a last frame is a last packet.
const smallCamera = "source = \"synthetic\"\nwidth = 160\nheight = 90\nrate = 30\n"

// let lets a new key in.
func (h *household) let(ctx context.Context, role proto.Role) (*home.Keys, error) {
	keys, err := home.NewKeys()
	if err != nil {
		return nil, err
	}
	card, err := envelope.NewKeyCard(keys.Signer(), keys.Opener().PublicKey())
	if err != nil {
		return nil, err
	}
	if _, err := h.owner.Members(ctx); err != nil { // has the newest checkpoint
		return nil, err
	}
	_, err = h.owner.Grant(ctx, proto.Grant{Card: string(card), Name: string(keys.ID()), Role: role, Scopes: role.Preset()})
	return keys, err
}

// guest lets one in and connects it.
func (h *household) guest(ctx context.Context) (*client.Camera, error) {
	keys, err := h.let(ctx, proto.RoleGuest)
	if err != nil {
		return nil, err
	}
	record := h.owner.Record()
	login, err := h.login(keys)
	record.Broker.Certificate, record.Broker.Key = login.Certificate, login.Key
	if err != nil {
		return nil, err
	}
	return client.Dial(ctx, nil, keys, record, slog.New(slog.DiscardHandler))
}

// status is a request that changes nothing.
func (h *household) status(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	_, err := h.owner.Call(ctx, proto.OpStatus, "", nil)
	return time.Since(began), err
}

// revocations removes guests while they watch.
func (b *bench) revocations() error {
	h, err := b.household(smallCamera)
	if err != nil {
		return err
	}
	defer h.close()
	r := &revoked{}
	for range b.Sessions {
		if err := b.revocation(h, r); err != nil {
			return err
		}
	}
	for _, q := range []string{"p50", "p95"} {
		b.report.pair("revoke, from request to answer (baseline: a request that changes nothing), "+q, "ms",
			ms(quantile(r.answered, quantiles[q])), ms(quantile(r.quiet, quantiles[q])))
		b.report.pair("revoke, from the last frame that came to the answer (baseline: between two frames), "+q, "ms",
			ms(quantile(r.silent, quantiles[q])), ms(frameInterval))
	}
	b.report.add("camd", fmt.Sprintf("packets that came after the answer, %d revocations", b.Sessions), "", float64(r.late))
	return nil
}

type revoked struct {
	answered, silent, quiet []time.Duration
	late                    uint64 // packets
}

func (b *bench) revocation(h *household, r *revoked) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	guest, err := h.guest(ctx)
	if err != nil {
		return err
	}
	defer guest.Close()
	var last atomic.Int64
	s, err := guest.Watch(ctx, client.WatchOptions{Video: func(f client.Frame) { last.Store(f.Arrived.UnixMicro()) }})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := b.pause(time.Second); err != nil {
		return err
	}
	quiet, err := h.status(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if _, err := h.owner.Revoke(ctx, proto.Revoke{Client: guest.Keys().ID()}); err != nil {
		return err
	}
	answered, packets := time.Now(), s.Stats().Video.Packets
	if err := b.pause(300 * time.Millisecond); err != nil {
		return err
	}
	r.late += s.Stats().Video.Packets - packets
	r.quiet, r.answered = append(r.quiet, quiet), append(r.answered, answered.Sub(began))
	r.silent = append(r.silent, answered.Sub(time.UnixMicro(last.Load())))
	return nil
}
