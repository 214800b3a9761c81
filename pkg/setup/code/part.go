package code

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

// Parts of a code. docs/protocol.md 3.12.4.
const (
	Prefix   = "CAMDC1:"
	family   = "CAMDC" // of all versions
	PartSize = 65      // bytes of the code in each part but the last
	MaxParts = 32
	// MaxSealed is how large a code can be, in bytes.
	MaxSealed = PartSize * MaxParts

	checkSize = 5 // bytes of the code's SHA-256 that each part carries
	headSize  = len(Prefix) + 2 + checkSize*8/5
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

var base32Text = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)

// Parts cuts a code into the texts that are drawn. They hold only characters of the
// alphanumeric mode of QR codes (ISO/IEC 18004), which takes 5.5 bits for each.
func (s Sealed) Parts() []string {
	sum := sha256.Sum256(s)
	check := base32Text.EncodeToString(sum[:checkSize])
	var l []string
	last := (len(s) - 1) / PartSize
	for i := 0; i <= last; i++ {
		piece := s[i*PartSize : min((i+1)*PartSize, len(s))]
		l = append(l, Prefix+string(alphabet[i])+string(alphabet[last])+check+base32Text.EncodeToString(piece))
	}
	return l
}

// Errors of a text that was read from a picture.
var (
	ErrForeign = errors.New("not a part of a code for cameras")
	ErrVersion = errors.New("a code of a version that this camera doesn't know")
)

// part is one text, read.
type part struct {
	index, last int
	check       [checkSize]byte
	data        []byte
}

func parsePart(text string) (part, error) {
	rest, ok := strings.CutPrefix(text, Prefix)
	switch {
	case !ok && strings.HasPrefix(text, family):
		return part{}, ErrVersion
	case !ok, len(text) <= headSize:
		return part{}, ErrForeign
	}
	p := part{index: strings.IndexByte(alphabet, rest[0]), last: strings.IndexByte(alphabet, rest[1])}
	check, err := unbase32(text[len(Prefix)+2 : headSize])
	if err != nil || p.index < 0 || p.last < p.index {
		return part{}, fmt.Errorf("%w: its head", ErrForeign)
	}
	copy(p.check[:], check)
	if p.data, err = unbase32(text[headSize:]); err != nil {
		return part{}, err
	}
	if n := len(p.data); n > PartSize || p.index < p.last && n != PartSize {
		return part{}, fmt.Errorf("%w: %d bytes", ErrForeign, n)
	}
	return p, nil
}

// unbase32 reads the one form that bytes have in base32: the library takes line ends and
// spare bits, too.
func unbase32(text string) ([]byte, error) {
	b, err := base32Text.DecodeString(text)
	if err != nil || len(b) == 0 || base32Text.EncodeToString(b) != text {
		return nil, fmt.Errorf("%w: its base32", ErrForeign)
	}
	return b, nil
}

// maxSeries is how many codes a Collector keeps parts of: the newest.
const maxSeries = 4

// Collector puts parts together again. They may come in any order, with repetitions,
// and parts of several codes among one another. The zero value is ready to use.
type Collector struct {
	series []*series // the one that was added to last is the last
}

// series is what is there of one code.
type series struct {
	check  [checkSize]byte
	pieces [][]byte // nil where one is missing
	have   int
}

// Progress is how much of a code was read.
type Progress struct{ Have, Of int }

// Add takes a text that was read. code is not nil when it was the last one missing; what
// is kept of that code is then forgotten. Errors: ErrForeign, ErrVersion.
func (c *Collector) Add(text string) (code Sealed, p Progress, err error) {
	got, err := parsePart(text)
	if err != nil {
		return nil, Progress{}, err
	}
	s := c.find(got)
	if s.pieces[got.index] == nil {
		s.have++
	}
	s.pieces[got.index] = got.data
	p = Progress{s.have, len(s.pieces)}
	if s.have < len(s.pieces) {
		return nil, p, nil
	}
	c.series = c.series[:len(c.series)-1]
	code = bytes.Join(s.pieces, nil)
	if sum := sha256.Sum256(code); !bytes.Equal(sum[:checkSize], s.check[:]) {
		return nil, Progress{}, fmt.Errorf("%w: its parts don't belong together", ErrForeign)
	}
	return code, p, nil
}

// find returns the series of a part, as the last one.
func (c *Collector) find(p part) *series {
	for i, s := range c.series {
		if s.check == p.check && len(s.pieces) == p.last+1 {
			c.series = append(append(c.series[:i:i], c.series[i+1:]...), s)
			return s
		}
	}
	s := &series{check: p.check, pieces: make([][]byte, p.last+1)}
	c.series = append(c.series, s)
	if len(c.series) > maxSeries {
		c.series = c.series[1:]
	}
	return s
}
