package auth

import (
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
)

// drop is why a message got no answer, or only a fresh nonce. docs/protocol.md 5.4.
type drop int

const (
	dropOversized drop = iota
	dropGarbled
	dropUnknown
	dropSignature
	dropClaims
	dropTopic
	dropAudience
	dropEpoch
	dropReplay
	dropStale
	dropDuplicate
	dropBusy
	dropKinds
)

// drops counts since the start. Counting never blocks and writes nothing: junk
// must neither fill the log nor wear the flash.
type drops [dropKinds]atomic.Uint64

func (d *drops) count(k drop) { d[k].Add(1) }

func (d *drops) snapshot() (s [dropKinds]uint64) {
	for i := range d {
		s[i] = d[i].Load()
	}
	return s
}

// dropOf returns what was wrong with an envelope.
func dropOf(err error) drop {
	switch {
	case errors.Is(err, envelope.ErrOversized):
		return dropOversized
	case errors.Is(err, envelope.ErrUnknownKey):
		return dropUnknown
	case errors.Is(err, envelope.ErrSignature):
		return dropSignature
	case errors.Is(err, envelope.ErrClaims):
		return dropClaims
	}
	return dropGarbled
}

// since returns the counts of now that came after before.
func since(now, before [dropKinds]uint64) accesslog.Drops {
	for i := range now {
		now[i] -= before[i]
	}
	return accesslog.Drops{
		Oversized: now[dropOversized], Garbled: now[dropGarbled], Unknown: now[dropUnknown],
		Signature: now[dropSignature], Claims: now[dropClaims], Topic: now[dropTopic],
		Audience: now[dropAudience], Epoch: now[dropEpoch], Replay: now[dropReplay],
		Stale: now[dropStale], Duplicate: now[dropDuplicate], Busy: now[dropBusy],
	}
}

// hostile reports whether d has more than what honest clients cause on a bad network.
func hostile(d accesslog.Drops) bool {
	d.Stale, d.Duplicate, d.Busy = 0, 0, 0
	return d != accesslog.Drops{}
}

// logDrops writes one line about what was dropped, if anything was.
func logDrops(log *slog.Logger, d accesslog.Drops) {
	if d != (accesslog.Drops{}) {
		log.Warn("messages dropped", "oversized", d.Oversized, "garbled", d.Garbled, "unknown", d.Unknown,
			"signature", d.Signature, "claims", d.Claims, "topic", d.Topic, "audience", d.Audience, "epoch", d.Epoch,
			"replay", d.Replay, "stale", d.Stale, "duplicate", d.Duplicate, "busy", d.Busy)
	}
}
