package rtc

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/pion/rtcp"
)

// PathReport is what the camera tells a viewer about the path to it, once a second in a
// packet of RTCP (docs/protocol.md 7.4.8).
type PathReport struct {
	Estimate int           // bit/s that the path carries; 0: not known
	Queue    time.Duration // the longest that a picture waited before it left, in the last second
}

const (
	reportName = "camd" // RFC 3550 section 6.7
	reportSize = 8
)

// Packet makes the packet, about the stream of a source. It keeps kbit/s and ms.
func (r PathReport) Packet(source uint32) *rtcp.ApplicationDefined {
	data := binary.BigEndian.AppendUint32(nil, uint32(min(max(r.Estimate/1000, 0), math.MaxInt32)))
	data = binary.BigEndian.AppendUint32(data, uint32(min(max(r.Queue.Milliseconds(), 0), math.MaxUint32)))
	return &rtcp.ApplicationDefined{SSRC: source, Name: reportName, Data: data}
}

// ReadPathReport reads a packet that the camera sent; ok reports whether it is one of
// these. More data than is known is left for later versions.
func ReadPathReport(p *rtcp.ApplicationDefined) (r PathReport, ok bool) {
	if p.Name != reportName || p.SubType != 0 || len(p.Data) < reportSize {
		return PathReport{}, false
	}
	return PathReport{
		Estimate: 1000 * int(min(binary.BigEndian.Uint32(p.Data), math.MaxInt32/1000)), // an int has 32 bits on some computers
		Queue:    time.Duration(binary.BigEndian.Uint32(p.Data[4:])) * time.Millisecond,
	}, true
}
