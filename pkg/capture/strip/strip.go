// Package strip writes a number into the top edge of a picture and reads it back
// after compression: the frame counter of the synthetic source, by which a test
// tells which picture it has in hand. It keeps nothing and refuses what it can't
// read with certainty.
//
// The strip is a row of 32 blocks as wide as the picture: white, black, 24 bits of
// the number from the highest on, 6 check bits; white is 1.
package strip

import "image"

const (
	blocks    = 32
	dataBits  = 24
	checkBits = 6

	black, white, grey = 16, 235, 128

	minBlock = 4  // pixels, so that a block survives compression
	minFill  = 40 // how far from the middle a block's mean must be
)

// Max is the largest number; larger ones are cut to their low bits.
const Max = 1<<dataBits - 1

// Height returns how many lines of a picture of that width the strip takes: two
// macroblocks for most.
func Height(width int) int { return min(max(width/blocks, 16)&^1, 48) }

// Write draws n into a 4:2:0 picture.
func Write(m *image.YCbCr, n uint32) {
	w, h := m.Rect.Dx(), Height(m.Rect.Dx())
	bits := encode(n & Max)
	row := m.Y[:w]
	for i := range blocks {
		v := byte(black)
		if bits>>(blocks-1-i)&1 == 1 {
			v = white
		}
		fill(row[i*w/blocks:(i+1)*w/blocks], v)
	}
	for y := 1; y < h; y++ {
		copy(m.Y[y*m.YStride:][:w], row)
	}
	for y := range h / 2 {
		fill(m.Cb[y*m.CStride:][:w/2], grey)
		fill(m.Cr[y*m.CStride:][:w/2], grey)
	}
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

// Read finds the number in a decoded picture of any chroma subsampling and value
// range; ok is false if there is none or a block is in doubt.
func Read(m *image.YCbCr) (n uint32, ok bool) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	tall := Height(w)
	if w < blocks*minBlock || h < tall {
		return 0, false
	}
	var bits uint32
	for i := range blocks {
		v := mean(m, image.Rect(i*w/blocks, 0, (i+1)*w/blocks, tall))
		if v > grey-minFill && v < grey+minFill {
			return 0, false
		}
		bits <<= 1
		if v > grey {
			bits |= 1
		}
	}
	n = bits >> checkBits & Max
	return n, encode(n) == bits
}

// mean averages the inner half of a block, away from its edges.
func mean(m *image.YCbCr, r image.Rectangle) int {
	r = r.Add(m.Rect.Min).Inset(min(r.Dx(), r.Dy()) / 4)
	sum := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for _, v := range m.Y[m.YOffset(r.Min.X, y):][:r.Dx()] {
			sum += int(v)
		}
	}
	return sum / max(r.Dx()*r.Dy(), 1)
}

// encode puts marks and check bits around the number.
func encode(n uint32) uint32 {
	const marks = 0b10 << (dataBits + checkBits)
	check := (n ^ n>>6 ^ n>>12 ^ n>>18 ^ 0b101010) & (1<<checkBits - 1)
	return marks | n<<checkBits | check
}
