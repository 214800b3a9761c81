package auth

import (
	"context"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// Receive decides whether one sealed message from a topic of client from gets into the
// queue of its member: docs/protocol.md 5.1 up to step 9. It does no I/O and never blocks.
// The caller has checked the size and the rate.
func (g *Gate) Receive(_ context.Context, from proto.ClientID, msg []byte) {
	r, err := envelope.OpenRequest(msg, g.keys.enc, g.members.signingKey)
	if err != nil {
		g.drops.count(dropOf(err))
		return
	}
	m := g.members.get(r.Issuer)
	switch {
	case r.Issuer != from:
		g.drops.count(dropTopic)
	case r.Audience != g.device:
		g.drops.count(dropAudience)
	case r.Epoch != g.keys.epoch:
		g.drops.count(dropEpoch)
	case !validToken(r.ID), r.Sequence > maxInteger:
		g.drops.count(dropClaims)
	case m == nil:
		g.drops.count(dropUnknown)
		g.tellFormer(r)
	default:
		if m.ShownCode != "" {
			g.heard.Store(m.id, true)
		}
		seq, o, drop := g.queues.add(m, r)
		if drop >= 0 {
			g.drops.count(drop)
		}
		if o != nil {
			g.send(g.newAnswer(m, r.ID, seq, *o), m.key) // without the log's proof, which takes I/O
		}
	}
}

const (
	maxToken   = 64
	maxInteger = 1<<53 - 1 // every JSON reader keeps it exactly, docs/protocol.md 1.5
)

// validToken reports whether s can be a jti or sid: 1 to 64 characters that never need to be
// escaped. docs/protocol.md 5.1.
func validToken(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= maxToken
}
