package packets

import (
	"crypto/rand"
	"testing"

	"github.com/camd-project/camd/pkg/media"
)

// BenchmarkPacketize measures a frame of 1080p30 at 4 Mbit/s, for docs/performance.md.
func BenchmarkPacketize(bench *testing.B) {
	slice := make([]byte, 16_600)
	_, _ = rand.Read(slice)
	for i, x := range slice {
		slice[i] = x | 1 // no start codes, no trailing zeros
	}
	slice[0] = 0x65
	unit := &media.AccessUnit{Data: annexB([]byte{0x67, 0x42, 0xc0, 0x1f, 0x95}, []byte{0x68, 0xce, 0x3c, 0x81}, slice), Key: true}
	b := New(90000, true)
	publish := func() {
		unit.PTS = media.Now()
		b.AppendUnit(unit)
	}
	for range 2 * MaxPackets { // until every slot has its buffer
		publish()
	}
	from := b.next
	for bench.ResetTimer(); bench.Loop(); {
		publish()
	}
	bench.ReportMetric(float64(bench.Elapsed().Nanoseconds())/float64(b.next-from), "ns/packet")
}
