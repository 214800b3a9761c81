package h264

import (
	"fmt"
	"image"
)

// Scaler makes planar 4:2:0 pictures smaller. Each sample of the result is the mean of the
// area that it covers, rounded, so that fine patterns become an even tone and not other
// patterns. Scale allocates nothing. A Scaler is for one goroutine.
type Scaler struct {
	from, to     image.Point
	luma, chroma planeScaler
}

// NewScaler returns a scaler between two sizes in luma samples, which are even. No side may
// become longer.
func NewScaler(from, to image.Point) (*Scaler, error) {
	odd := (from.X|from.Y|to.X|to.Y)&1 != 0
	if odd || to.X < minSide || to.Y < minSide || to.X > from.X || to.Y > from.Y || from.X > maxPixels/from.Y {
		return nil, fmt.Errorf("scale %v to %v: %w", from, to, ErrSize)
	}
	return &Scaler{from: from, to: to, luma: newPlaneScaler(from, to), chroma: newPlaneScaler(from.Div(2), to.Div(2))}, nil
}

// Scale writes the smaller picture into to. Both must have the sizes that the Scaler was made
// for.
func (s *Scaler) Scale(to, from *image.YCbCr) error {
	if a, b := from.Rect.Size(), to.Rect.Size(); a != s.from || b != s.to {
		return fmt.Errorf("scale %v to %v instead of %v to %v: %w", a, b, s.from, s.to, ErrSize)
	}
	s.luma.scale(to.Y, from.Y, to.YStride, from.YStride)
	s.chroma.scale(to.Cb, from.Cb, to.CStride, from.CStride)
	s.chroma.scale(to.Cr, from.Cr, to.CStride, from.CStride)
	return nil
}

// planeScaler scales one plane. It counts in parts of samples, so that both sides of the
// result and of the source are whole numbers of them and no rounding adds up.
type planeScaler struct {
	columns, rows []span
	halves        bool     // both sides are halved
	sums          []uint32 // of each column of the source, over the rows of one span
	area          uint64   // of one sample of the result
	inverse       uint64   // 1<<inverseBits / area: much faster than a division
}

// inverseBits is the most with which 255 whole areas and a half still fit into 64 bits. The
// largest area is 2^24, so the result is that of a division.
const inverseBits = 56

// span is the part of a row, or of a column, that one sample of the result covers.
type span struct {
	first, last        int    // samples of the source
	head, middle, tail uint32 // how many parts of the first, of those between, and of the last
}

func newPlaneScaler(from, to image.Point) planeScaler {
	columns, width := spans(from.X, to.X)
	rows, height := spans(from.Y, to.Y)
	p := planeScaler{
		columns: columns, rows: rows, halves: from == to.Mul(2),
		sums: make([]uint32, from.X), area: uint64(width) * uint64(height),
	}
	p.inverse = 1<<inverseBits/p.area + 1
	return p
}

// spans cuts one side of the source into as many spans as the result has samples. Each has
// length parts.
func spans(from, to int) (l []span, length int) {
	g := gcd(from, to)
	length, part := from/g, to/g // in parts: a sample of the result, and one of the source
	for at := 0; at < to*length; at += length {
		end := at + length
		s := span{first: at / part, last: (end - 1) / part, middle: uint32(part)} //nolint:gosec // at most 4096
		s.head = uint32(min((s.first+1)*part, end) - at)                          //nolint:gosec // at most part
		if s.last > s.first {
			s.tail = uint32(end - s.last*part) //nolint:gosec // at most part
		}
		l = append(l, s)
	}
	return l, length
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (p *planeScaler) scale(to, from []byte, toStride, fromStride int) {
	for y, r := range p.rows {
		row := to[y*toStride:][:len(p.columns)]
		if p.halves {
			quarter(row, from[r.first*fromStride:], from[r.last*fromStride:])
			continue
		}
		p.add(from, fromStride, r)
		for x, c := range p.columns {
			row[x] = p.mean(c)
		}
	}
}

// quarter takes the mean of each two by two samples: a 720p picture made 360p, and many others.
func quarter(to, a, b []byte) {
	a, b = a[:2*len(to)], b[:2*len(to)]
	for x := range to {
		to[x] = byte((uint(a[2*x]) + uint(a[2*x+1]) + uint(b[2*x]) + uint(b[2*x+1]) + 2) / 4) //nolint:gosec // a mean of bytes
	}
}

// add adds up the rows of a span, each column by itself.
func (p *planeScaler) add(from []byte, stride int, s span) {
	sums := p.sums
	row := from[s.first*stride:][:len(sums)]
	for x := range sums {
		sums[x] = s.head * uint32(row[x])
	}
	for y := s.first + 1; y <= s.last; y++ {
		weight := s.middle
		if y == s.last {
			weight = s.tail
		}
		row := from[y*stride:][:len(sums)]
		for x := range sums {
			sums[x] += weight * uint32(row[x])
		}
	}
}

// mean returns the mean over the columns of a span.
func (p *planeScaler) mean(s span) byte {
	sums := p.sums[s.first : s.last+1]
	total := s.head * sums[0]
	for _, v := range sums[1:] {
		total += s.middle * v
	}
	if n := len(sums) - 1; n > 0 {
		total -= (s.middle - s.tail) * sums[n]
	}
	return byte((uint64(total) + p.area/2) * p.inverse >> inverseBits) //nolint:gosec // a mean of bytes
}
