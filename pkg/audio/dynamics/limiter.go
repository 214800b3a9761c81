package dynamics

// lookahead is how much sooner the limiter sees a sample than it gives it: 2 ms.
const lookahead = 2 * millisecond

// one is a gain of 1. Gains are integers, so that their running sum stays exact.
const one = 1 << 30

// Limiter holds every sample below a ceiling. It sees the sound 2 ms before it
// gives it out, so that it lowers the gain smoothly: of the gains that the coming
// samples need, it takes the least (with a slow return to 1) and averages that
// over the same 2 ms. The average holds nothing above what the sample that leaves
// needs, so the ceiling is kept without clipping.
//
// It is for one goroutine.
type Limiter struct {
	ceiling int32
	release int64 // share of the way back to 1 that is made each sample, times one

	delayed [lookahead]int16
	held    [lookahead]int64 // gains, for the average
	sum     int64            // of held
	gain    int64            // the last one held
	at      int              // in delayed and held

	least minimum
}

// NewLimiter returns a limiter for a ceiling in dBFS, at most 0. It comes back from
// a peak by two thirds within 80 ms.
func NewLimiter(ceiling float64) *Limiter {
	l := &Limiter{
		ceiling: max(1, int32(32767*amplitude(min(0, ceiling)))),
		release: one / (80 * millisecond),
		gain:    one,
		sum:     lookahead * one,
	}
	for i := range l.held {
		l.held[i] = one
	}
	return l
}

// Ceiling returns the greatest magnitude of a sample that Process gives.
func (l *Limiter) Ceiling() int16 { return int16(l.ceiling) }

// Delay returns how many samples later than it came a sample leaves: as many zeros
// bring out the end of a sound.
func (*Limiter) Delay() int { return lookahead - 1 }

// Process limits samples in place, Delay samples late.
func (l *Limiter) Process(samples []int16) {
	for i, s := range samples {
		samples[i] = l.next(s)
	}
}

func (l *Limiter) next(s int16) int16 {
	needed := int64(one)
	if m := magnitude(s); m > l.ceiling {
		needed = int64(l.ceiling) * one / int64(m)
	}
	l.gain += (one - l.gain) * l.release / one
	l.gain = min(l.gain, l.least.next(needed))

	l.sum += l.gain - l.held[l.at]
	l.held[l.at] = l.gain
	l.delayed[l.at] = s
	l.at = (l.at + 1) % lookahead
	return int16(int64(l.delayed[l.at]) * (l.sum / lookahead) / one)
}

func magnitude(s int16) int32 { return max(int32(s), -int32(s)) }

// minimum is the least of the last lookahead values: a queue of the values that
// may yet become it, rising from front to back.
type minimum struct {
	value [lookahead]int64
	age   [lookahead]int // the count at which the value came
	front int
	n     int
	count int
}

func (m *minimum) next(v int64) int64 {
	m.count++
	if m.n > 0 && m.age[m.front] <= m.count-lookahead {
		m.front, m.n = (m.front+1)%lookahead, m.n-1
	}
	for m.n > 0 && m.value[(m.front+m.n-1)%lookahead] >= v {
		m.n--
	}
	back := (m.front + m.n) % lookahead
	m.value[back], m.age[back], m.n = v, m.count, m.n+1
	return m.value[m.front]
}
