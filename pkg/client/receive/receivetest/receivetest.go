// Package receivetest makes H.264 packets for tests of what receives them.
package receivetest

import (
	"bytes"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// Access units: one that a decoder can start with, and one that needs those before it.
var (
	IDR   = AnnexB(NAL(7, 12), NAL(8, 6), NAL(5, 5000))
	Delta = AnnexB(NAL(1, 2500))
)

// NAL returns a NAL unit of a type whose slice begins a picture, n bytes long.
func NAL(typ byte, n int) []byte {
	b := bytes.Repeat([]byte{0xab}, n)
	b[0], b[1] = 0x60|typ, 0x88
	return b
}

// AnnexB returns NAL units as a byte stream (H.264 annex B).
func AnnexB(nals ...[]byte) []byte {
	var out []byte
	for _, n := range nals {
		out = append(append(out, 0, 0, 0, 1), n...)
	}
	return out
}

// Packets cuts access units as pion does, each 3000 ticks after the last.
func Packets(units ...[]byte) []*rtp.Packet {
	var l []*rtp.Packet
	for i, u := range units {
		parts := (&codecs.H264Payloader{}).Payload(1000, u)
		for j, part := range parts {
			l = append(l, &rtp.Packet{Payload: part, Header: rtp.Header{SequenceNumber: uint16(len(l)),
				Timestamp: uint32(i * 3000), Marker: j == len(parts)-1}})
		}
	}
	return l
}
