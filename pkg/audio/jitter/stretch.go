package jitter

import "github.com/camd-project/camd/pkg/audio/dynamics"

const (
	piece     = 10 * millisecond // removed or inserted where nobody speaks
	tolerated = 20 * millisecond // of delay too long, or half of it too short
	pressing  = 60 * millisecond // of delay too long: speech is shortened too
	alike     = 0.8              // how like each other pitch periods must be for that
	quiet     = -50.0            // dBFS: a pause in any room
)

// line is the sound that was made and not yet played. It has room for the longest packet
// after what adjusting needs.
type line struct {
	buf   [8 * frame]int16
	start int
	end   int
}

func (l *line) samples() []int16 { return l.buf[l.start:l.end] }

func (l *line) len() int { return l.end - l.start }

func (l *line) drop(n int) { l.start += n }

// grow appends n samples for the caller to fill.
func (l *line) grow(n int) []int16 {
	if l.end+n > len(l.buf) {
		l.end = copy(l.buf[:], l.samples())
		l.start = 0
	}
	l.end += n
	return l.buf[l.end-n : l.end]
}

// pause reports whether nobody speaks in samples.
func pause(samples []int16, floor float64) bool {
	return dynamics.Level(samples) < max(quiet, floor+6)
}

// shorten removes a piece from the beginning: in a pause any piece, in speech, only if it is
// pressing, a pitch period. It returns the length of the piece.
func (l *line) shorten(floor float64, pressing bool) int {
	s := l.samples()
	if len(s) < maxPeriod+compared {
		return 0
	}
	n := piece
	if !pause(s[:2*piece], floor) {
		if !pressing {
			return 0
		}
		period, likeness := pitch(s[:maxPeriod+compared])
		if n = period; likeness < alike {
			return 0
		}
	}
	for i := range n {
		s[n+i] = mix(s[i], s[n+i], i, n)
	}
	l.drop(n)
	return n
}

// lengthen inserts a piece at the beginning if that is a pause. It returns the length of
// the piece.
func (l *line) lengthen(floor float64) int {
	if l.len() < 2*piece || !pause(l.samples()[:2*piece], floor) {
		return 0
	}
	l.grow(piece)
	s := l.samples()
	copy(s[2*piece:], s[piece:])
	for i := range piece { // the second piece again leads to the first, which leads on
		s[piece+i] = mix(s[2*piece+i], s[i], i, piece)
	}
	return piece
}

// mix returns the i-th of n samples of a cross-fade.
func mix(from, to int16, i, n int) int16 {
	return int16((int(from)*(n-i) + int(to)*i) / n)
}
