package panel

import (
	"context"
	"strconv"
	"time"
)

const (
	countdown   = 10 // seconds
	lastSeconds = 5  // are spoken one by one
)

// pending is the action at the end of a countdown.
type pending struct {
	what   string
	do     func(context.Context) error
	left   int // seconds
	second *time.Ticker
}

// begin starts the countdown to an action that can't be undone.
func (p *Panel) begin(what, clip string, do func(context.Context) error) {
	p.pending = &pending{what: what, do: do, left: countdown, second: time.NewTicker(time.Second)}
	p.tellTime()
	p.actions.Say(clip)
}

func (p *Panel) tellTime() {
	p.log.Warn("counting down: a press of the pairing button stops it", "to", p.pending.what, "seconds", p.pending.left)
}

// count is called each second of a countdown.
func (p *Panel) count(ctx context.Context) {
	if p.pending.left--; p.pending.left > 0 {
		p.tellTime()
		if p.pending.left <= lastSeconds {
			p.actions.Say(sayDigit + strconv.Itoa(p.pending.left))
		}
		return
	}
	now := p.pending
	p.stop()
	p.done(now.what, now.do(ctx))
}

// cancel stops the countdown and reports whether there was one.
func (p *Panel) cancel(why string) (was bool) {
	if p.pending == nil {
		return false
	}
	p.log.Warn("countdown stopped", "to", p.pending.what, "because", why)
	p.stop()
	p.actions.Say(sayStopped)
	return true
}

func (p *Panel) stop() {
	if p.pending != nil {
		p.pending.second.Stop()
		p.pending = nil
	}
}
