package usbcam

import "encoding/binary"

// Standard requests (USB 2.0 table 9-4) and UVC's class requests (UVC 1.1 table A-8).
const (
	getStatus, clearFeature, getDescriptor = 0x00, 0x01, 0x06
	getConfiguration, setConfiguration     = 0x08, 0x09
	getInterface, setInterface             = 0x0a, 0x0b

	setCur, getCur, getMin, getMax, getRes = 0x01, 0x81, 0x82, 0x83, 0x84
	getLen, getInfo, getDef                = 0x85, 0x86, 0x87
)

// Selectors of the streaming interface.
const (
	selectProbe, selectCommit = 1, 2
	probeLen                  = 34 // of UVC 1.1; with 26, uvcvideo makes no node
)

// setup is the first stage of a control transfer (USB 2.0 section 9.3).
type setup struct {
	kind, request        uint8
	value, index, length uint16
}

func parseSetup(b [8]byte) setup {
	word := func(at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
	return setup{b[0], b[1], word(2), word(4), word(6)}
}

func (s setup) class() bool { return s.kind&0x60 == 0x20 }

// probe is the answer to a probe or commit: the one size and rate of a format.
func probe(f Format) []byte {
	b := []byte{0, 0, byte(f), 1}
	b = binary.LittleEndian.AppendUint32(b, Interval)
	b = append(b, make([]byte, 10)...) // key frame rate, quality and delay: not given
	b = binary.LittleEndian.AppendUint32(b, maxFrame)
	b = binary.LittleEndian.AppendUint32(b, maxPayload)
	b = binary.LittleEndian.AppendUint32(b, clockHz)
	return append(b, 3, 1, 1, 1) // FID and EOF are used; payload version 1
}

// standard answers a standard request; false means stall.
func standard(s setup) ([]byte, bool) {
	switch s.request {
	case getDescriptor:
		return descriptor(uint8(s.value>>8), uint8(s.value))
	case getStatus:
		return []byte{0, 0}, true
	case getConfiguration:
		return []byte{1}, true
	case getInterface:
		return []byte{0}, true
	case setConfiguration, setInterface, clearFeature:
		return nil, true
	}
	return nil, false
}

func descriptor(kind, index uint8) ([]byte, bool) {
	switch kind {
	case typeDevice:
		return deviceDescriptor(), true
	case typeConfiguration:
		return configurationDescriptor(), true
	case typeString:
		return stringDescriptor(index)
	}
	return nil, false
}

// streaming answers a request about the stream's parameters; false means stall.
func (p *plugged) streaming(s setup, data []byte) ([]byte, bool) {
	selector := s.value >> 8
	if s.index != 1 || selector != selectProbe && selector != selectCommit {
		return nil, false
	}
	switch s.request {
	case setCur:
		return nil, p.choose(data, selector == selectCommit)
	case getCur, getMin, getMax, getRes, getDef:
		return probe(p.format), true
	case getLen:
		return []byte{probeLen, 0}, true
	case getInfo:
		return []byte{3}, true // may be read and written
	}
	return nil, false
}

// choose takes the format of a probe or commit; a commit starts the stream.
func (p *plugged) choose(data []byte, commit bool) bool {
	if len(data) < 4 {
		return false
	}
	if f := Format(data[2]); f >= H264 && f <= YUYV {
		p.format = f
	}
	if commit {
		p.start()
	}
	return true
}
