package dynamics

// Where the far end counts as audible, how long it still does after its last sound
// (the card's buffer and the room's echo), and how fast the gain moves.
const (
	audible     = -50.0 // dBFS
	duckHold    = 300 * millisecond
	duckAttack  = 5 * millisecond
	duckRelease = 150 * millisecond
)

// Ducker makes a conversation half-duplex where echo can't be cancelled: it
// attenuates the microphone while the far end is audible in the room.
//
// It is for one goroutine.
type Ducker struct {
	floor float64 // the gain while ducked
	gain  float64
	hold  int // samples that the far end still counts as audible
}

// NewDucker returns a ducker that attenuates by so many dB, at least 0.
func NewDucker(attenuation float64) *Ducker {
	return &Ducker{floor: amplitude(-max(0, attenuation)), gain: 1}
}

// Duck changes mic in place. far is what the loudspeaker plays meanwhile; it may
// be shorter, or nil for nothing.
func (d *Ducker) Duck(mic, far []int16) {
	if Level(far) > audible {
		d.hold = duckHold + len(mic)
	}
	for i, s := range mic {
		if d.hold > 0 {
			d.hold--
			d.gain = max(d.floor, d.gain-(1-d.floor)/duckAttack)
		} else {
			d.gain = min(1, d.gain+(1-d.floor)/duckRelease)
		}
		mic[i] = int16(float64(s) * d.gain)
	}
}

// Ducking reports whether the microphone is attenuated now.
func (d *Ducker) Ducking() bool { return d.gain < 1 }
