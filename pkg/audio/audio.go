package audio

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/audio/opus"
	"github.com/camd-project/camd/pkg/backoff"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
)

// privacySentence is the reason of health in privacy mode.
const privacySentence = "Privacy mode is on: the microphone is closed."

// Microphone publishes Opus frames while its feed is wanted.
type Microphone struct {
	cfg    Config
	log    *slog.Logger
	health *health.Condition
	out    *media.Feed[*media.AudioFrame]
	source source

	shutter media.Shutter
	device  string // the last that was tried
	flaw    string // a sentence: what is wrong with an otherwise working microphone
	pool    *media.Pool[media.AudioFrame]
	frame   [opus.FrameSamples]int16
	packet  []byte
	lost    overruns
	loss    atomic.Int32 // percent of the packets, as SetLoss said
	duplex  duplex
}

// Pauses after a fault.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
)

// poolFrames is how many released frames are kept: 2.5 seconds.
const poolFrames = 128

// New checks cfg and opens nothing. far is what the speaker plays meanwhile, which
// isn't published, or nil. New fails with opus.ErrNotBuilt in a build without cgo,
// unless the source is off.
func New(cfg Config, log *slog.Logger, board *health.Board, out *media.Feed[*media.AudioFrame], far *FarEnd) (*Microphone, error) {
	log = log.With("component", "audio")
	m := &Microphone{
		cfg: cfg, log: log, health: board.Condition("audio"), out: out,
		pool:   media.NewPool[media.AudioFrame](poolFrames),
		lost:   overruns{log: log},
		duplex: newDuplex(cfg.Echo, log, far),
	}
	if cfg.Source == "off" {
		return m, nil
	}
	encoder, err := opus.New(cfg.bitrate())
	if err != nil {
		return nil, err
	}
	encoder.Close() // each session makes its own
	if m.source, err = newSource(cfg); err != nil {
		return nil, err
	}
	return m, nil
}

func (c Config) bitrate() int { return c.BitrateKbps * 1000 }

func (*Microphone) String() string { return "audio" }

// SetPrivacy closes the sound card and keeps it closed until SetPrivacy(false), for privacy
// mode. SetPrivacy(true) returns once the card is closed and its last frame published.
func (m *Microphone) SetPrivacy(on bool) { m.shutter.SetClosed(on) }

// Run serves at once: without demand it waits, having looked whether there is a
// microphone at all.
func (m *Microphone) Run(ctx context.Context, ready func()) error {
	ready()
	if m.cfg.Source == "off" {
		m.health.Set(health.OK, "off")
		<-ctx.Done()
		return nil
	}
	found := false
	pause := backoff.Backoff{First: firstPause, Max: maxPause}
	for ctx.Err() == nil {
		began := time.Now()
		use := m.session
		if !m.out.Wanted() {
			if use = m.look; found {
				use = m.rest
			}
		}
		err := m.shutter.Use(ctx, use)
		if found = err == nil; found {
			m.works()
			pause.Reset()
			continue
		}
		if errors.Is(err, media.ErrPrivacy) {
			m.shutter.WaitOpen(ctx, func() { m.health.Set(health.OK, privacySentence) })
			continue
		}
		if time.Since(began) > maxPause {
			pause.Reset() // it went well for a while: this is a new fault
		}
		sentence := explain(microphone, m.device, err)
		if m.health.Status().Reason != sentence { // the whole error is logged once
			m.log.Warn("microphone failed", "device", m.device, "error", err)
		}
		m.health.Set(health.Failed, sentence)
		m.wait(ctx, time.After(pause.Next()))
	}
	return nil
}

// rest waits until sound may be wanted, with the card closed.
func (m *Microphone) rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-m.out.Changes():
	}
	return nil
}

// look finds the card without opening it for sound, and sets its gain.
func (m *Microphone) look(context.Context) (err error) {
	if m.device, err = m.source.find(); err == nil {
		m.setGain()
	}
	return err
}

// setGain sets the gain. If that fails, health says so, and the microphone is used all the
// same.
func (m *Microphone) setGain() {
	m.flaw = ""
	if err := m.source.level(m.device); err != nil {
		m.flaw = explain(microphone, m.device, err)
	}
}

func (m *Microphone) works() {
	if m.flaw != "" {
		m.health.Set(health.Degraded, m.flaw)
		return
	}
	m.health.Set(health.OK, "")
}

// wait waits until demand or privacy mode may have changed, ctx ends or timeout fires.
func (m *Microphone) wait(ctx context.Context, timeout <-chan time.Time) {
	on, changed := m.shutter.Closed()
	if on {
		return
	}
	select {
	case <-ctx.Done():
	case <-m.out.Changes():
	case <-changed:
	case <-timeout:
	}
}

// session captures until nobody wants sound any more, ctx ends or the microphone fails. Only
// the last is an error.
func (m *Microphone) session(ctx context.Context) (err error) {
	if m.device, err = m.source.find(); err != nil {
		return err
	}
	in, err := m.source.open(m.device)
	if err != nil {
		return err
	}
	m.setGain()
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { _ = in.Close(); close(closed) })
	defer func() {
		if !stop() {
			<-closed
		} else if e := in.Close(); e != nil {
			err = errors.Join(err, e)
		}
	}()
	encoder, err := opus.New(m.cfg.bitrate())
	if err != nil {
		return err
	}
	defer encoder.Close()
	m.duplex.begin(m.device)
	defer m.duplex.close()
	if err := m.pump(in, encoder); ctx.Err() == nil {
		return err
	}
	return nil
}

// pump publishes frame after frame while they are wanted.
func (m *Microphone) pump(in stream, encoder *opus.Encoder) error {
	r, prepared := reader{in: in, lost: &m.lost}, int32(0)
	for m.out.Wanted() {
		pts, err := r.next(m.frame[:])
		if err != nil {
			return err
		}
		m.works()
		m.duplex.process(m.frame[:], &r)
		if loss := m.loss.Load(); loss != prepared {
			prepared = loss
			if err := encoder.SetLoss(int(loss)); err != nil {
				return err
			}
		}
		if err := m.publish(encoder, pts); err != nil {
			return err
		}
	}
	return nil
}

// SetLoss has sound encoded, from the next packet on, so that the loss of so many percent of
// its packets is heard less. It costs no bits, but quality where nothing is lost. 0: nothing
// is lost.
func (m *Microphone) SetLoss(percent int) { m.loss.Store(int32(min(max(percent, 0), 100))) }

func (m *Microphone) publish(encoder *opus.Encoder, pts time.Duration) (err error) {
	if m.packet, err = encoder.Encode(m.packet[:0], m.frame[:]); err != nil {
		return err
	}
	f := m.pool.Get()
	f.Data, f.PTS = append(f.Data, m.packet...), pts
	m.out.Publish(f)
	f.Release()
	return nil
}
