package prompt

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Marshal writes an archive of clips: each the Opus packets of 20 ms that its name
// stands for. It refuses what Parse would refuse.
func Marshal(clips map[string][][]byte) ([]byte, error) {
	if len(clips) > math.MaxUint16 {
		return nil, fmt.Errorf("%w: %d clips", ErrIndex, len(clips))
	}
	var index, packets []byte
	for _, name := range slices.Sorted(maps.Keys(clips)) {
		if len(name) > maxName || len(clips[name]) > maxPackets {
			return nil, fmt.Errorf("%w: %.64q has a name of %d bytes and %d packets", ErrIndex, name, len(name), len(clips[name]))
		}
		index = append(append(index, byte(len(name))), name...)
		index = binary.BigEndian.AppendUint16(index, uint16(len(clips[name])))
		for _, p := range clips[name] {
			if len(p) > 252+3+4*255 {
				return nil, fmt.Errorf("%w: %s has a packet of %d bytes", ErrPacket, name, len(p))
			}
			n := len(p) // coded as in RFC 6716 section 3.2.1
			if n < 252 {
				packets = append(packets, byte(n))
			} else {
				first := 252 + n&3
				packets = append(packets, byte(first), byte((n-first)/4))
			}
			packets = append(packets, p...)
		}
	}
	data := binary.BigEndian.AppendUint16([]byte(magic), version)
	data = binary.BigEndian.AppendUint16(data, uint16(len(clips)))
	data = binary.BigEndian.AppendUint32(data, uint32(len(index)))
	data = binary.BigEndian.AppendUint32(data, uint32(len(packets)))
	body := append(index, packets...)
	sum := sha256.Sum256(body)
	data = append(append(data, sum[:]...), body...)
	if _, err := Parse(data); err != nil {
		return nil, err
	}
	return data, nil
}
