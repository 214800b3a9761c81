package opus

import "errors"

// What Decode and Samples say of a packet that isn't played.
var (
	// ErrGarbled is a packet that RFC 6716 section 3 does not allow, or that the
	// decoder finds broken.
	ErrGarbled = errors.New("this is no valid Opus packet")
	// ErrTooLong is a legal packet of more than MaxSamples.
	ErrTooLong = errors.New("an Opus packet of more than 60 ms is not played")
	// ErrSilence is a packet without sound in it: the sender transmits
	// discontinuously (DTX), or has nothing for this time (RFC 6716 section 2.1.9).
	ErrSilence = errors.New("an Opus packet without sound")
)

// MaxSamples is the longest packet that is decoded: 60 ms at 48 kHz.
const MaxSamples = 2880

// frameSamples is the length of a frame at 48 kHz by the five configuration bits
// of a packet's first byte (RFC 6716 section 3.1, table 2).
var frameSamples = [32]int{
	480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 1920, 2880, // SILK
	480, 960, 480, 960, // hybrid
	120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960, // CELT
}

// Samples returns how long a packet plays, in samples at 48 kHz, by its first two
// bytes. It fails with ErrGarbled or ErrTooLong.
func Samples(packet []byte) (int, error) {
	frames, err := frameCount(packet)
	if err != nil {
		return 0, err
	}
	n := frames * frameSamples[packet[0]>>3]
	if n > 2*MaxSamples { // section 3.4, R5
		return 0, ErrGarbled
	}
	if n > MaxSamples {
		return n, ErrTooLong
	}
	return n, nil
}

func frameCount(packet []byte) (int, error) {
	if len(packet) == 0 {
		return 0, ErrGarbled
	}
	switch packet[0] & 3 {
	case 0:
		return 1, nil
	case 1, 2:
		return 2, nil
	}
	if len(packet) < 2 || packet[1]&0x3f == 0 {
		return 0, ErrGarbled
	}
	return int(packet[1] & 0x3f), nil
}

// silent reports whether a packet is one that DTX sends: no frame has more than one byte, which
// libopus takes for a lost frame.
func silent(packet []byte) bool {
	switch packet[0] & 3 {
	case 0:
		return len(packet) <= 2
	case 1:
		return len(packet) <= 3
	case 2:
		return len(packet) <= 2
	}
	return len(packet) <= 2+int(packet[1]&0x3f) && packet[1]&0xc0 == 0
}
