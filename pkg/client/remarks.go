package client

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Remarks are sentences for the person about a camera that belong beside whatever
// was asked: an alarm that stands and revocations without an answer.
func (h *Home) Remarks(r Record) []string { return remarks(newLedger(h, r.Device), r) }

func remarks(l *ledger, r Record) (out []string) {
	if a, err := l.alarm(); err != nil {
		out = append(out, err.Error())
	} else if a != nil {
		out = append(out, a.Sentence(r.Title()))
	}
	pending, err := l.pending(r.Epoch)
	if err != nil {
		return append(out, err.Error())
	}
	if len(pending) == 0 {
		return out
	}
	names := make([]string, len(pending))
	for i, u := range pending {
		names[i] = u.Who()
	}
	return append(out, fmt.Sprintf("The camera %s has not confirmed yet that these are removed: %s. It is asked again before anything else.",
		r.Title(), strings.Join(names, ", ")))
}

// Remarks are those of the home, and what this connection found out.
func (c *Camera) Remarks(ctx context.Context) []string {
	out := remarks(c.ledger, c.record)
	_ = c.do(ctx, func(s *state) { // a camera that is closed has no more to say
		out = append(out, s.settled...)
		if s.clock != 0 {
			out = append(out, fmt.Sprintf("The camera's clock says %s, which is more than a day off. Schedules and ends of grants go by it: look at its time server.",
				time.Unix(s.clock, 0).Format(time.DateTime)))
		}
	})
	return out
}
