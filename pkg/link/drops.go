package link

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// dropKind is a reason to drop a message.
type dropKind int

const (
	dropTopic    dropKind = iota // in: not a request topic
	dropRetained                 // in: retained by the broker, so stale
	dropSize                     // in: larger than proto.MaxMessage
	dropRate                     // in: above the client's rate limit
	dropInbox                    // in: the receiver is slower than the broker
	dropOffline                  // out: no connection
	dropOutbox                   // out: the connection is slower than the senders
	dropFailed                   // out: the write failed
	dropKinds
)

var dropNames = [dropKinds]string{"topic", "retained", "size", "rate", "inbox", "offline", "outbox", "failed"}

const reportPeriod = time.Minute

// drops counts dropped messages by kind.
type drops [dropKinds]atomic.Uint64

func (d *drops) add(k dropKind) { d[k].Add(1) }

// report logs once a minute what was dropped, if anything was.
func (d *drops) report(ctx context.Context, log *slog.Logger) {
	var reported [dropKinds]uint64
	tick := time.NewTicker(reportPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if news := d.since(&reported); len(news) > 0 {
				log.Warn("messages dropped", news...)
			}
		}
	}
}

// since returns log attributes of the counts above seen, and updates seen.
func (d *drops) since(seen *[dropKinds]uint64) []any {
	var out []any
	for k := range d {
		now := d[k].Load()
		if n := now - seen[k]; n > 0 {
			out = append(out, dropNames[k], n)
		}
		seen[k] = now
	}
	return out
}
