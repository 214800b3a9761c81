package opus

import (
	"fmt"

	"github.com/pion/opus"
)

// Decoder makes sound out of packets in pure Go, with pion/opus: SILK, CELT and
// hybrid packets, mono and stereo, of 2.5 to 60 ms. It does not conceal losses and
// does not use in-band FEC. It is for one goroutine.
//
// CELT packets of one frame allocate nothing; hybrid ones and those of several
// frames allocate up to 1.5 KB inside pion/opus.
type Decoder struct{ pion opus.Decoder }

// NewDecoder returns a decoder.
func NewDecoder() *Decoder {
	d := new(Decoder)
	d.Reset()
	return d
}

// Reset forgets the packets decoded so far.
func (d *Decoder) Reset() {
	pion, err := opus.NewDecoderWithOutput(48000, 1)
	if err != nil {
		panic(err) // only other rates and channel counts fail
	}
	d.pion = pion
}

// Decode fills the beginning of frame with a packet's sound, mono at 48 kHz, and
// returns its length in samples: what Samples says, so MaxSamples are always
// enough room. The packet comes from a remote peer and may hold anything. It fails
// with ErrGarbled, ErrTooLong or ErrSilence; frame then holds nothing of use.
func (d *Decoder) Decode(frame []int16, packet []byte) (int, error) {
	n, err := Samples(packet)
	if err != nil {
		return 0, err
	}
	if n > len(frame) {
		return 0, fmt.Errorf("decode %d samples into a frame of %d", n, len(frame))
	}
	if silent(packet) {
		return 0, ErrSilence
	}
	got, err := d.pion.DecodeToInt16(packet, frame)
	if err != nil || got != n {
		d.Reset()                                       // what a broken packet left of the state is not worth keeping
		return 0, fmt.Errorf("%w: %v", ErrGarbled, err) //nolint:errorlint // err may be nil
	}
	return n, nil
}
