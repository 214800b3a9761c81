package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/backoff"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	silenceLook = 250 * time.Millisecond
	// How long to wait before a lost camera is asked again.
	firstAgain = 500 * time.Millisecond
	lastAgain  = 10 * time.Second
)

// silentLine is one line of JSON in place of a second's numbers.
type silentLine struct {
	Kind    string  `json:"kind"` // silent: nothing comes; lost: the session is over, and another one is asked for
	Seconds float64 `json:"silent_s,omitempty"`
	Reason  string  `json:"reason,omitempty"`
}

// streamLine is one line of JSON where another stream is sent.
type streamLine struct {
	Kind string `json:"kind"` // stream
	proto.StreamState
}

// viewing is a series of sessions with one camera.
type viewing struct {
	env     *environment
	ctx     context.Context // of asking again
	camera  *client.Camera
	options client.WatchOptions
	once    bool

	session *client.Session // nil: lost, and asked for again
	before  client.Stats
	stream  proto.StreamState // as it was said
	silent  bool              // and said so
	lost    bool              // at least once
	pauses  backoff.Backoff
	again   chan asked
	closing sync.WaitGroup
}

// asked is what came of asking again.
type asked struct {
	session *client.Session
	err     error
}

// follow prints until the time is over, someone interrupts, or what ended the session
// does not pass.
func (v *viewing) follow(seconds int) error {
	second, look := time.NewTicker(time.Second), time.NewTicker(silenceLook)
	defer second.Stop()
	defer look.Stop()
	began := time.Now()
	for n := 1; ; {
		var done <-chan struct{} // nil while there is no session
		if v.session != nil {
			done = v.session.Done()
		}
		select {
		case <-second.C:
			if err := v.line(); err != nil {
				return err
			}
			if n == seconds {
				return v.result()
			}
			n++
		case <-look.C:
			if err := v.notice(); err != nil {
				return err
			}
		case <-done:
			if err := v.askAgain(v.session.Err()); err != nil || v.session != nil {
				return err
			}
		case a := <-v.again:
			if err := v.resume(a); err != nil {
				return err
			}
		case <-v.env.ctx.Done():
			if v.session == nil {
				return nil
			}
			return v.env.printStats("summary", v.session.Stats(), client.Stats{At: began})
		}
	}
}

// line prints the numbers of the last second.
func (v *viewing) line() error {
	if v.session == nil {
		return nil // that, and why, was said
	}
	now := v.session.Stats()
	if now.Video.Frames > 0 {
		v.pauses.Reset()
	}
	if now.Silent > 0 {
		v.silent = true
		return v.env.Print(silentLine{Kind: "silent", Seconds: now.Silent.Seconds()}, "nothing has come for %.0f s", now.Silent.Seconds())
	}
	if is, known := v.session.Stream(); known && is != v.stream {
		v.stream = is
		if err := v.env.Print(streamLine{"stream", is}, "%s", is.Sentence()); err != nil {
			return err
		}
	}
	before := v.before
	v.before = now
	return v.env.printStats("second", now, before)
}

// notice says at once that nothing comes any more.
func (v *viewing) notice() error {
	if v.session == nil {
		return nil
	}
	now := v.session.Stats()
	switch {
	case now.Silent == 0 && v.silent:
		v.silent, v.before = false, now
	case now.Silent > 0 && !v.silent:
		v.silent = true
		return v.env.Print(silentLine{Kind: "silent", Seconds: now.Silent.Seconds()}, "nothing comes any more")
	}
	return nil
}

// askAgain leaves a session that has ended and asks for another one, if that can help and
// the person wants it. A camera that has not shown a picture yet is not asked again.
func (v *viewing) askAgain(why error) error {
	if v.once || !client.Passing(why) || v.session.Stats().Video.Frames == 0 && !v.lost {
		return why
	}
	if err := v.env.Print(silentLine{Kind: "lost", Reason: why.Error()}, "%s It is asked again until it is back.", why); err != nil {
		return err
	}
	old := v.session
	v.closing.Go(old.Close)
	v.session, v.silent, v.lost = nil, false, true
	v.ask()
	return nil
}

// ask asks for another session after a while that grows.
func (v *viewing) ask() {
	pause, again := v.pauses.Next(), make(chan asked, 1)
	v.again = again
	v.closing.Go(func() {
		v.await(pause)
		s, err := v.camera.Watch(v.ctx, v.options)
		again <- asked{s, err}
	})
}

// await waits, but no longer than until the broker says that the camera is back.
func (v *viewing) await(pause time.Duration) {
	over := time.NewTimer(pause)
	defer over.Stop()
	look := time.NewTicker(silenceLook)
	defer look.Stop()
	gone := false
	for {
		select {
		case <-over.C:
			return
		case <-v.ctx.Done():
			return
		case <-look.C:
		}
		status, known := v.camera.Status(v.ctx)
		if known && status.Online && gone {
			return
		}
		gone = gone || known && !status.Online
	}
}

// resume takes the session that was asked for, or asks again.
func (v *viewing) resume(a asked) error {
	v.again = nil
	switch {
	case a.err == nil:
		v.session, v.before = a.session, a.session.Stats()
		v.env.Note("Watching %s again.", v.camera.Record().Title())
		return nil
	case v.env.ctx.Err() != nil:
		return nil //nolint:nilerr // follow ends
	case !client.Passing(a.err):
		return a.err
	}
	v.ask()
	return nil
}

// result returns an error if nothing comes at the end, so that scripts notice.
func (v *viewing) result() error {
	if v.session == nil {
		return fmt.Errorf("the camera %s was lost and is not back", v.camera.Record().Title())
	}
	now := v.session.Stats()
	if now.Silent > 0 {
		return fmt.Errorf("nothing has come from the camera %s for %.0f s", v.camera.Record().Title(), now.Silent.Seconds())
	}
	if now.Video.Frames == 0 {
		return fmt.Errorf("no complete picture came (%d packets did)", now.Video.Packets)
	}
	return nil
}

// end closes what is open.
func (v *viewing) end() {
	if v.session != nil {
		v.session.Close()
	}
	v.closing.Wait()
	if v.again != nil { // it came, and nobody took it
		select {
		case a := <-v.again:
			if a.session != nil {
				a.session.Close()
			}
		default:
		}
	}
}
