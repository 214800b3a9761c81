package fmp4

import "encoding/binary"

// boxes is a growing run of boxes (ISO/IEC 14496-12 clause 4.2), big-endian.
type boxes []byte

// box adds a box of a four-letter type, whose content body adds.
func (b *boxes) box(kind string, body func()) {
	at := len(*b)
	b.u32(0) // the size, once it is known
	b.text(kind)
	body()
	binary.BigEndian.PutUint32((*b)[at:], uint32(len(*b)-at))
}

// full adds a box with version and flags.
func (b *boxes) full(kind string, version byte, flags uint32, body func()) {
	b.box(kind, func() {
		b.u32(uint32(version)<<24 | flags)
		body()
	})
}

func (b *boxes) u8(v ...byte)  { *b = append(*b, v...) }
func (b *boxes) u16(v uint16)  { *b = binary.BigEndian.AppendUint16(*b, v) }
func (b *boxes) u32(v uint32)  { *b = binary.BigEndian.AppendUint32(*b, v) }
func (b *boxes) u64(v uint64)  { *b = binary.BigEndian.AppendUint64(*b, v) }
func (b *boxes) text(s string) { *b = append(*b, s...) }
func (b *boxes) zero(n int)    { *b = append(*b, make([]byte, n)...) }
