package client

import (
	"bytes"
	"io"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// queue is a stream that ends when its packets have been read.
type queue [][]byte

func (q *queue) Read(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
	if len(*q) == 0 {
		return 0, nil, io.EOF
	}
	n := copy(b, (*q)[0])
	*q = (*q)[1:]
	return n, a, nil
}

func TestRepairs(t *testing.T) {
	packet := func(payloadType uint8, seq uint16, source uint32, payload ...byte) []byte {
		p := rtp.Packet{Header: rtp.Header{Version: 2, Marker: true, PayloadType: payloadType, SequenceNumber: seq, Timestamp: 90, SSRC: source}, Payload: payload}
		if err := p.SetExtension(3, []byte{1, 2}); err != nil {
			t.Fatal(err)
		}
		return must(p.Marshal())
	}
	r := must(repairFactory{{PayloadType: 102, RTX: 120}, {PayloadType: 103, RTX: 121}}.NewInterceptor(""))
	pictures := &queue{packet(103, 44, 7, 1, 2, 3), packet(103, 46, 7, 4)}
	again := &queue{
		packet(121, 2, 8, 0, 43, 8, 9),
		packet(121, 3, 8), // no number
		must((&rtp.Packet{Header: rtp.Header{Version: 2, Padding: true, PayloadType: 121, SSRC: 8}, PaddingSize: 200}).Marshal()),
		{0x90, 121, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 0}, // half an extension
		{0x80, 121},
		packet(119, 4, 8, 0, 47, 7), // another format
		packet(120, 5, 8, 0, 45, 7),
		packet(120, 6, 8, 0, 47, 7), // its original has not come
	}
	sound := &queue{packet(111, 4, 9, 6)}
	bind := func(mime string, source uint32, q *queue) interceptor.RTPReader {
		return r.BindRemoteStream(&interceptor.StreamInfo{SSRC: source, MimeType: mime}, q)
	}
	b := make([]byte, 1500)
	rtx := bind(webrtc.MimeTypeRTX, 8, again)
	for {
		n, _, err := rtx.Read(b, nil)
		if err != nil {
			break
		}
		if n != 0 {
			t.Errorf("pion gets %x, too", b[:n])
		}
	}
	read := func(reader interceptor.RTPReader) (l [][]byte) {
		for {
			n, _, err := reader.Read(b, nil)
			if err != nil {
				return l
			}
			l = append(l, bytes.Clone(b[:n]))
		}
	}
	want := [][]byte{packet(103, 44, 7, 1, 2, 3), packet(103, 43, 7, 8, 9), packet(103, 46, 7, 4), packet(102, 45, 7, 7)}
	got := read(bind(webrtc.MimeTypeH264, 7, pictures))
	if len(got) != len(want) {
		t.Fatalf("%d packets of pictures, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("packet %d: %x, want %x", i, got[i], want[i])
		}
	}
	if len(r.(*repairs).waiting) != 1 {
		t.Error("the packet that has not come was given")
	}
	if l := read(bind(webrtc.MimeTypeOpus, 9, sound)); len(l) != 1 {
		t.Errorf("%d packets of sound, want 1", len(l))
	}
}

func TestRepairsAreBounded(t *testing.T) {
	r := &repairs{types: map[uint8]uint8{121: 103}}
	for range 2 * maxRepairs {
		r.put([]byte{0x80, 121, 0, 1, 0, 0, 0, 90, 0, 0, 0, 8, 0, 43, 8, 9})
	}
	if len(r.waiting) != maxRepairs {
		t.Errorf("%d packets wait, want %d", len(r.waiting), maxRepairs)
	}
}

func FuzzOriginal(f *testing.F) {
	f.Add([]byte{0x90, 121, 0, 1, 0, 0, 0, 90, 0, 0, 0, 8, 0xbe, 0xde, 0, 1, 0x31, 1, 2, 0, 0, 43, 8, 9})
	f.Add([]byte{0xa0, 121, 0, 1, 0, 0, 0, 90, 0, 0, 0, 8, 0, 0, 0, 4})
	f.Fuzz(func(t *testing.T, p []byte) {
		if out, ok := original(bytes.Clone(p), map[uint8]uint8{121: 103}); ok && len(out) != len(p)-2 {
			t.Errorf("%x became %x", p, out)
		}
	})
}
