package sound

import "math"

// Block is the part of a voice that is looked for in what was heard: 100 ms.
const Block = Rate / 10

// lower is by how much sounds are lowered to be compared: to 8 kHz.
const lower = 6

// loud is what somebody speaks at, at 8 kHz: above -45 dBFS.
const loud = 184

// Match is a block of a voice, and the place where it was heard best. Both are samples
// from the beginning.
type Match struct {
	Sent, Heard int
	Likeness    float64 // normalised correlation
}

// Matches finds each block in which somebody speaks in what was heard, at its own place
// or up to reach samples later.
func Matches(sent, heard []int16, reach int) (all []Match) {
	s, h := lowered(sent), lowered(heard)
	const block = Block / lower
	for at := 0; at+block <= len(s) && at+block <= len(h); at += block {
		b := s[at : at+block]
		power := dot(b, b)
		if power/block < loud*loud {
			continue
		}
		m := Match{Sent: at * lower}
		for lag := 0; lag <= reach/lower && at+lag+block <= len(h); lag++ {
			there := h[at+lag:][:block]
			if p := dot(there, there); p > 0 {
				if l := dot(b, there) / math.Sqrt(power*p); l > m.Likeness {
					m.Likeness, m.Heard = l, (at+lag)*lower
				}
			}
		}
		all = append(all, m)
	}
	return all
}

// Likeness is the mean of matches: how well a voice was understood. 1 is the same sound;
// another voice has 0.6.
func Likeness(all []Match) (mean float64) {
	for _, m := range all {
		mean += m.Likeness / float64(len(all))
	}
	return mean
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func lowered(samples []int16) []float64 {
	out := make([]float64, len(samples)/lower)
	for i := range out {
		for _, s := range samples[i*lower : (i+1)*lower] {
			out[i] += float64(s) / lower
		}
	}
	return out
}

// Clear is the share of a voice's frames of 20 ms, in the blocks that were found, that
// were heard at their own place as they were spoken: with a likeness above 0.9, at most
// 3 ms off the block's place.
func Clear(sent, heard []int16, all []Match) float64 {
	s, h := lowered(sent), lowered(heard)
	const frame, off = Rate / 50 / lower, 3 * Rate / 1000 / lower
	clear, n := 0, 0
	for _, m := range all {
		for at := m.Sent / lower; at < (m.Sent+Block)/lower; at += frame {
			f := s[at : at+frame]
			power := dot(f, f)
			if power/frame < loud*loud {
				continue
			}
			n++
			best := 0.0
			for lag := (m.Heard-m.Sent)/lower - off; lag <= (m.Heard-m.Sent)/lower+off; lag++ {
				if at+lag < 0 || at+lag+frame > len(h) {
					continue
				}
				there := h[at+lag:][:frame]
				if p := dot(there, there); p > 0 {
					best = max(best, dot(f, there)/math.Sqrt(power*p))
				}
			}
			if best > 0.9 {
				clear++
			}
		}
	}
	return float64(clear) / float64(max(1, n))
}
