package live

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/pion/dtls/v3"
	"github.com/pion/transport/v5/packetio"
)

func TestCheaperCipherComesFirst(t *testing.T) {
	for arch, want := range map[string]dtls.SRTPProtectionProfile{
		"arm": dtls.SRTP_AES128_CM_HMAC_SHA1_80, "arm64": dtls.SRTP_AEAD_AES_128_GCM, "amd64": dtls.SRTP_AEAD_AES_128_GCM,
	} {
		if l := srtpProfiles(arch); l[0] != want || len(l) != 2 {
			t.Errorf("%s: %v", arch, l)
		}
	}
}

func TestIncomingMediaHasNoBuffer(t *testing.T) {
	b := new(bounds).buffer(packetio.RTPBufferPacket, 1)
	if n, err := b.Write(make([]byte, 1000)); n != 0 || !errors.Is(err, packetio.ErrFull) {
		t.Errorf("Write = %d, %v, want that it is full", n, err)
	}
	read := make(chan error)
	go func() {
		_, err := b.Read(make([]byte, 1500))
		read <- err
	}()
	must(t, b.Close())
	must(t, b.Close())
	if err := get(t, read); !errors.Is(err, io.EOF) {
		t.Errorf("Read: %v, want the end", err)
	}
}

func TestReportsAreReadAtOnce(t *testing.T) {
	var sources []uint32
	limit := &bounds{reports: func(source uint32, _ []byte) { sources = append(sources, source) }}
	for _, source := range []uint32{7, 8} { // 8 is one that pion has no reader for
		b := limit.buffer(packetio.RTCPBufferPacket, source)
		for range 2 {
			if n, err := b.Write(make([]byte, 1000)); n != 0 || !errors.Is(err, packetio.ErrFull) {
				t.Errorf("Write = %d, %v, want that it is full", n, err)
			}
		}
	}
	if want := []uint32{7, 7, 8, 8}; !slices.Equal(sources, want) {
		t.Errorf("reports on %v were read, want on %v", sources, want)
	}
}
