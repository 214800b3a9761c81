package dynamics

// Speech is what is louder than the background by margin and than a quiet room in
// any case. It lasts on over the pauses between words.
const (
	quietest = -55.0             // dBFS
	margin   = 9.0               // dB
	rise     = 3.0               // dB a second: how fast the background may grow
	linger   = 200 * millisecond // samples
)

// Activity tells speech from background by its energy. The background is the least
// level of late: it falls at once and rises by 3 dB a second, so that a steady
// noise stops counting as speech after some seconds, and the pauses in speech
// bring it down again.
//
// It is for one goroutine; the zero Activity is ready.
type Activity struct {
	begun bool
	floor float64 // dBFS
	left  int     // samples that still count as speech
}

// Speech reports whether somebody speaks in a frame or has just done so.
func (a *Activity) Speech(frame []int16) bool {
	level := Level(frame)
	if !a.begun {
		a.begun, a.floor = true, min(level, quietest)
	}
	a.floor = min(level, a.floor+rise*float64(len(frame))/rate)
	if level > max(quietest, a.floor+margin) {
		a.left = linger
		return true
	}
	a.left = max(0, a.left-len(frame))
	return a.left > 0
}

// Floor returns the level of the background in dBFS.
func (a *Activity) Floor() float64 { return a.floor }
