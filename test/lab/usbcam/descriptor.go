package usbcam

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// What the one frame size of every format looks like.
const (
	Width    = 640
	Height   = 360
	Interval = 666666 // of a frame in 100 ns: 15 a second

	maxFrame   = Width * Height * 2 // bytes; sizes the driver's buffers
	maxPayload = 16384              // bytes of a payload, header included; vhci takes no larger URB
	minBits    = 55296000           // bit/s, of YUYV; the driver only passes it on
	clockHz    = 48000000
	uvcVersion = 0x0110
	bulkIn     = 0x81 // endpoint address
)

// Format is the bFormatIndex of a stream.
type Format uint8

// The formats of the camera.
const (
	H264 Format = 1 + iota
	MJPEG
	YUYV
	formats = 3
)

// Descriptor types and subtypes (USB 2.0 table 9-5, UVC 1.1 appendix A).
const (
	typeDevice        = 0x01
	typeConfiguration = 0x02
	typeString        = 0x03
	typeInterface     = 0x04
	typeEndpoint      = 0x05
	typeAssociation   = 0x0b
	typeClass         = 0x24 // CS_INTERFACE; the subtype follows

	controlHeader, controlInput, controlOutput = 1, 2, 3
	streamHeader                               = 1
	uncompressedFormat, uncompressedFrame      = 4, 5
	mjpegFormat, mjpegFrame                    = 6, 7
	basedFormat, basedFrame                    = 0x10, 0x11

	classVideo, subControl, subStreaming, subCollection = 0x0e, 1, 2, 3
)

// describe lays out one descriptor: bLength, the type, then the fields, little
// endian and unpadded.
func describe(kind uint8, fields ...any) []byte {
	b := []byte{0, kind}
	for _, f := range fields {
		b, _ = binary.Append(b, binary.LittleEndian, f) // fails only for types without a fixed size
	}
	b[0] = byte(len(b))
	return b
}

type deviceFields struct {
	USB                          uint16
	Class, SubClass, Protocol    uint8
	MaxPacket                    uint8
	Vendor, Product, Version     uint16
	Maker, Name, Serial, Configs uint8
}

type configurationFields struct {
	Total                                        uint16
	Interfaces, Value, Name, Attributes, HalfAmp uint8
}

type interfaceFields struct {
	Number, Alternate, Endpoints, Class, SubClass, Protocol, Name uint8
}

type controlHeaderFields struct {
	Sub        uint8
	UVC, Total uint16
	Clock      uint32
	Count, Of  uint8
}

type streamHeaderFields struct {
	Sub, Formats uint8
	Total        uint16
	Endpoint     uint8
	Info, Link   uint8
	Still        [3]uint8
	ControlSize  uint8
	Controls     [formats]uint8
}

// frameFields begins every frame descriptor.
type frameFields struct {
	Sub, Index, Capabilities uint8
	Width, Height            uint16
	MinBits, MaxBits         uint32
}

func frame(sub uint8) frameFields {
	return frameFields{sub, 1, 0, Width, Height, minBits, minBits}
}

// discrete ends the frame descriptors that have a buffer size: default interval,
// number of intervals, interval.
type discrete struct {
	Size, Default uint32
	Count         uint8
	Interval      uint32
}

// based is the same for frame-based formats, which have no buffer size and hold
// dwBytesPerLine between the count and the intervals.
type based struct {
	Default      uint32
	Count        uint8
	BytesPerLine uint32
	Interval     uint32
}

// guid is the format GUID of a FourCC (UVC 1.1 section 3.9.2).
func guid(fourCC string) [16]byte {
	g := [16]byte{4: 0, 6: 0x10, 8: 0x80, 10: 0, 11: 0xaa, 13: 0x38, 14: 0x9b, 15: 0x71}
	copy(g[:], fourCC)
	return g
}

func deviceDescriptor() []byte {
	return describe(typeDevice, deviceFields{
		USB: 0x0200, Class: 0xef, SubClass: 2, Protocol: 1, MaxPacket: 64, // an interface association
		Vendor: 0x1d6b, Product: 0x0102, Version: 0x0100, Maker: 1, Name: 2, Serial: 3, Configs: 1,
	})
}

// formatDescriptors is what follows the streaming interface's header.
func formatDescriptors() []byte {
	var last [5]uint8 // bDefaultFrameIndex, aspect ratio X and Y, interlacing, copy protection
	last[0] = 1
	sized := discrete{maxFrame, Interval, 1, Interval}
	return bytes.Join([][]byte{
		describe(typeClass, uint8(basedFormat), H264, uint8(1), guid("H264"), uint8(16), last, uint8(1)),
		describe(typeClass, frame(basedFrame), based{Interval, 1, 0, Interval}),
		describe(typeClass, uint8(mjpegFormat), MJPEG, uint8(1), uint8(0), last),
		describe(typeClass, frame(mjpegFrame), sized),
		describe(typeClass, uint8(uncompressedFormat), YUYV, uint8(1), guid("YUY2"), uint8(16), last),
		describe(typeClass, frame(uncompressedFrame), sized),
	}, nil)
}

// streamDescriptors is interface 1: the header, which counts itself, and the formats.
func streamDescriptors() []byte {
	header := streamHeaderFields{Sub: streamHeader, Formats: formats, Endpoint: bulkIn, Link: 2, ControlSize: 1}
	body := formatDescriptors()
	header.Total = uint16(len(describe(typeClass, header)) + len(body))
	return append(describe(typeClass, header), body...)
}

// controlDescriptors is interface 0: a camera terminal wired to the stream.
func controlDescriptors() []byte {
	units := append(
		describe(typeClass, uint8(controlInput), uint8(1), uint16(0x0201), [8]uint8{}, uint8(3), [3]uint8{}),
		describe(typeClass, uint8(controlOutput), uint8(2), uint16(0x0101), uint8(0), uint8(1), uint8(0))...)
	header := controlHeaderFields{Sub: controlHeader, UVC: uvcVersion, Clock: clockHz, Count: 1, Of: 1}
	header.Total = uint16(len(describe(typeClass, header)) + len(units))
	return append(describe(typeClass, header), units...)
}

func configurationDescriptor() []byte {
	body := bytes.Join([][]byte{
		describe(typeAssociation, uint8(0), uint8(2), uint8(classVideo), uint8(subCollection), uint8(0), uint8(0)),
		describe(typeInterface, interfaceFields{Number: 0, Class: classVideo, SubClass: subControl}),
		controlDescriptors(),
		describe(typeInterface, interfaceFields{Number: 1, Endpoints: 1, Class: classVideo, SubClass: subStreaming}),
		streamDescriptors(),
		describe(typeEndpoint, uint8(bulkIn), uint8(2), uint16(512), uint8(0)), // bulk
	}, nil)
	head := configurationFields{Interfaces: 2, Value: 1, Attributes: 0x80, HalfAmp: 250}
	head.Total = uint16(len(describe(typeConfiguration, head)) + len(body))
	return append(describe(typeConfiguration, head), body...)
}

// stringDescriptor gives string i; 0 lists the languages: US English.
func stringDescriptor(i uint8) ([]byte, bool) {
	switch i {
	case 0:
		return describe(typeString, uint16(0x0409)), true
	case 1, 2, 3:
		text := [...]string{"camd", "Lab camera", "0001"}[i-1]
		return describe(typeString, utf16.Encode([]rune(text))), true
	}
	return nil, false
}
