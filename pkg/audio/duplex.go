package audio

import (
	"log/slog"
	"math"

	"github.com/camd-project/camd/pkg/audio/dynamics"
	"github.com/camd-project/camd/pkg/audio/opus"
)

// duplex removes the speaker's sound from the microphone's. Only the goroutine of
// Microphone.Run uses it. While the speaker is not heard it changes nothing.
type duplex struct {
	wanted string // Config.Echo
	log    *slog.Logger
	far    *FarEnd
	make   func() (canceller, error)

	microphone, speaker string // devices
	trust               trust  // in the delay between these
	calibration         calibration
	handling            string
	chosen              bool // handling, for this session and this speaker

	canceller canceller // of this session; made when it is first needed
	shift     int       // samples: the canceller's delay
	warm      int       // frames that it has had since the speaker was heard
	ducker    *dynamics.Ducker

	run     int   // the number of the run that offset is for
	offset  int64 // the sample of the run that is heard when the stream's first is captured
	settled int   // frames since the run or the stream began

	played, raw [opus.FrameSamples]int16
}

const (
	// lead is how much sooner than expected the echo of a sample may come, since the
	// cards' positions and the two threads' delays are not exact.
	lead = opus.FrameSamples
	// early is where the canceller first expects the echo: well before lead, so that
	// it lies within what the filter can learn.
	early = lead / 2
	// covered is how far behind the filter's beginning an echo may begin without moving
	// the filter: 20 ms of its 200.
	covered = rate / 50
	// attenuation is the dB by which the microphone is lowered while it is ducked.
	attenuation = 40
	// after is how long the speaker still counts as heard after its last sample, beside
	// the delay: for the room's echo, or the ducker's hold and release.
	after = rate / 2
	// warming is how many frames the canceller gets before its output is used, because
	// its output is later than its input; see echo.Latency.
	warming = 2
)

func newDuplex(wanted string, log *slog.Logger, far *FarEnd) duplex {
	return duplex{
		wanted: wanted, log: log, far: far, make: newCanceller,
		calibration: calibration{found: make(chan delay, 1)}, ducker: dynamics.NewDucker(attenuation),
	}
}

// process changes a frame that was just read from r.
func (d *duplex) process(frame []int16, r *reader) {
	run := d.far.now()
	at := d.place(&run, r)
	if !d.heard(&run, at) {
		d.calibration.compare()
		if d.warm > 0 {
			clear(d.played[:])
			d.fade(frame)
		}
		return
	}
	d.far.take(d.played[:], run.number, at+lead)
	d.decide(&run)
	switch { // each announcement measures the delay
	case d.canceller == nil:
	case run.announced:
		d.calibration.record(run.number, d.played[:], frame)
	default:
		d.calibration.compare() // a voice has followed
	}
	if d.handling == EchoCancel {
		d.cancel(frame)
		return
	}
	d.fade(frame)
	if d.handling == EchoDuck {
		d.ducker.Duck(frame, d.played[:])
	}
}

// heard reports whether the run, or its echo in the room, can be heard at a place.
func (d *duplex) heard(run *run, at int64) bool {
	switch {
	case run.number == 0 || !run.began.known:
		return run.number > 0 && !run.over // it is about to begin
	case !run.over:
		return true
	}
	return at <= run.written+int64(d.trust.samples)+after
}

// place returns which sample of the run was heard when the frame's first was captured; a
// negative one before the run.
//
// On one card both run by one crystal, and the offset between the two is constant: it
// moves freely while it is being found, and then only if it has clearly changed, since
// the canceller must begin again after each move. On two cards it follows their drift.
func (d *duplex) place(run *run, r *reader) int64 {
	if !run.began.known {
		return -rate
	}
	offset := samplesIn(r.began.at() - run.began.at())
	off := max(offset-d.offset, d.offset-offset)
	if run.number != d.run || off > rate/200 {
		d.run, d.offset, d.settled = run.number, offset, 0
	} else if d.settled++; d.settled < window && off > rate/2000 {
		d.offset = offset
	}
	return r.read - opus.FrameSamples + d.offset
}

// decide chooses the handling again if something has changed, and logs why. It moves the
// canceller to where an announcement's echo was found, unless its filter covers that already.
func (d *duplex) decide(run *run) {
	if run.device != d.speaker {
		d.speaker = run.device
		d.forget()
	}
	select {
	case found := <-d.calibration.found:
		d.trust.learn(found)
		d.log.Info("echo delay measured", "delay_ms", (found.samples-lead)*1000/rate, "confidence", math.Round(100*found.confidence)/100)
		if late := d.trust.samples - d.shift; d.trust.known && d.canceller != nil && (late < 0 || late > covered) {
			d.aim()
		}
	default:
		if d.chosen {
			return
		}
	}
	unbuilt := d.open()
	handling, why := echoHandling(d.wanted, d.microphone, d.speaker, unbuilt)
	if handling == EchoCancel && d.wanted != EchoCancel && d.trust.lost() {
		handling, why = EchoDuck, "Half duplex: no stable delay is found between speaker and microphone"
	}
	if handling != d.handling {
		d.log.Info("echo handling chosen", "handling", handling, "why", why, "microphone", d.microphone, "speaker", d.speaker)
	}
	d.handling, d.chosen = handling, true
}

// forget is called when a device has changed.
func (d *duplex) forget() {
	d.trust, d.chosen = trust{}, false
	select {
	case <-d.calibration.found: // a result that nobody has taken
	default:
	}
}

// open makes the canceller, unless it can't be needed.
func (d *duplex) open() (err error) {
	if handling, _ := echoHandling(d.wanted, d.microphone, d.speaker, nil); handling != EchoCancel || d.canceller != nil {
		return nil
	}
	if d.canceller, err = d.make(); err != nil {
		d.canceller = nil // not a nil pointer in an interface
		return err
	}
	d.aim()
	return nil
}

// aim sets where the canceller expects the echo. Its filter then begins again.
func (d *duplex) aim() {
	if d.shift = early; d.trust.known {
		d.shift = d.trust.samples
	}
	d.canceller.SetDelay(d.shift)
}

// cancel removes the echo. The result begins smoothly. It is 24 ms late, but has the
// timestamps of before: receivers conceal a jump of timestamps, and nobody notices 24 ms
// between lips and voice.
func (d *duplex) cancel(frame []int16) {
	copy(d.raw[:], frame)
	d.canceller.Cancel(frame, frame, d.played[:])
	switch {
	case d.warm < warming:
		copy(frame, d.raw[:])
	case d.warm == warming:
		blend(frame, d.raw[:], frame)
	}
	d.warm = min(d.warm+1, warming+1)
}

// fade ends cancelling smoothly, with one more frame.
func (d *duplex) fade(frame []int16) {
	if d.warm > warming {
		copy(d.raw[:], frame)
		d.canceller.Cancel(frame, frame, d.played[:])
		blend(frame, frame, d.raw[:])
	}
	d.warm = 0
}

// blend cross-fades from one sound to another within a frame.
func blend(out, from, to []int16) {
	n := len(out)
	for i := range out {
		out[i] = int16((int(from[i])*(n-i) + int(to[i])*i) / n) //nolint:gosec // between two int16
	}
}

// begin begins a session with a device.
func (d *duplex) begin(microphone string) {
	if microphone != d.microphone {
		d.microphone = microphone
		d.forget()
	}
	d.chosen, d.run, d.warm = false, 0, 0
}

// close ends a session.
func (d *duplex) close() {
	d.calibration.close()
	if d.canceller != nil {
		d.canceller.Close()
		d.canceller = nil
	}
}
