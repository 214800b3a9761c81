package usbcam

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
)

// The descriptors of a camera that uvcvideo of Linux 6.1 was seen to accept.
const (
	goldenDevice = "12010002ef0201406b1d0201000101020301"
	goldenConfig = `0902fe0002010080fa 080b00020e030000 09040000000e010000
		0d240110012800006cdc020101 122402010102000000000000000003000000
		092403020101000100 09040100010e020000 10240103ac0081000200000001000000
		1c24100101 48323634 00001000800000aa00389b71 10010000000001
		1e2411010080026801 00c04b0300c04b03 2a2c0a0001000000002a2c0a00
		0b24060201000100000000 1e2407010080026801 00c04b0300c04b03 000807002a2c0a00012a2c0a00
		1b24040301 59555932 00001000800000aa00389b71 100100000000
		1e2405010080026801 00c04b0300c04b03 000807002a2c0a00012a2c0a00
		07058102000200`
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDescriptorsAreThoseThatTheDriverAccepts(t *testing.T) {
	if got, want := deviceDescriptor(), unhex(t, goldenDevice); !bytes.Equal(got, want) {
		t.Errorf("device\n got %x\nwant %x", got, want)
	}
	if got, want := configurationDescriptor(), unhex(t, goldenConfig); !bytes.Equal(got, want) {
		t.Errorf("configuration\n got %x\nwant %x", got, want)
	}
}

func TestDescriptorLengthsAddUp(t *testing.T) {
	config := configurationDescriptor()
	if total := binary.LittleEndian.Uint16(config[2:]); int(total) != len(config) {
		t.Errorf("wTotalLength = %d, have %d bytes", total, len(config))
	}
	rest := config
	for len(rest) > 0 {
		n := int(rest[0])
		if n < 2 || n > len(rest) {
			t.Fatalf("descriptor with bLength %d, %d bytes left", n, len(rest))
		}
		rest = rest[n:]
	}
}

func TestProbeHasTheLengthOfUVC11(t *testing.T) {
	if n := len(probe(H264)); n != probeLen {
		t.Errorf("%d bytes, want %d", n, probeLen)
	}
}

// host is the kernel's side of USB/IP, as far as the tests need it.
type host struct {
	t    *testing.T
	conn net.Conn
	seq  uint32
}

func (h *host) send(in bool, endpoint, length uint32, setup [8]byte, data []byte) {
	h.t.Helper()
	h.seq++
	direction := uint32(0)
	if in {
		direction = 1
	}
	b := appendWords(nil, cmdSubmit, h.seq, 65537, direction, endpoint, 0, length, 0, 0, 0)
	b = append(append(b, setup[:]...), data...)
	h.write(b)
}

func (h *host) write(b []byte) {
	h.t.Helper()
	if _, err := h.conn.Write(b); err != nil {
		h.t.Fatal(err)
	}
}

// receive reads one answer: its command, sequence number, status and data.
func (h *host) receive() (command, seq uint32, status int32, data []byte) {
	h.t.Helper()
	var head [headerLen]byte
	if _, err := io.ReadFull(h.conn, head[:]); err != nil {
		h.t.Fatal(err)
	}
	word := func(at int) uint32 { return binary.BigEndian.Uint32(head[at:]) }
	if word(0) == retSubmit && word(24) > 0 {
		data = make([]byte, word(24))
		if _, err := io.ReadFull(h.conn, data); err != nil {
			h.t.Fatal(err)
		}
	}
	return word(0), word(4), int32(word(20)), data
}

func (h *host) control(kind, request uint8, value, index uint16, length int) (int32, []byte) {
	h.t.Helper()
	var setup [8]byte
	setup[0], setup[1] = kind, request
	binary.LittleEndian.PutUint16(setup[2:], value)
	binary.LittleEndian.PutUint16(setup[4:], index)
	binary.LittleEndian.PutUint16(setup[6:], uint16(length))
	h.send(true, 0, uint32(length), setup, nil)
	_, _, status, data := h.receive()
	return status, data
}

// commit starts a stream.
func (h *host) commit(f Format) {
	h.t.Helper()
	var setup [8]byte
	setup[0], setup[1], setup[3], setup[4], setup[6] = 0x21, setCur, selectCommit, 1, probeLen
	h.sendOut(setup, probe(f))
}

func (h *host) sendOut(setup [8]byte, data []byte) {
	h.t.Helper()
	h.send(false, 0, uint32(len(data)), setup, data)
	var head [headerLen]byte // an OUT's answer has a length but no data
	if _, err := io.ReadFull(h.conn, head[:]); err != nil {
		h.t.Fatal(err)
	}
	if status := binary.BigEndian.Uint32(head[20:]); status != 0 {
		h.t.Fatalf("status %d", int32(status))
	}
}

// frame reads one frame from the bulk endpoint.
func (h *host) frame() (frame []byte, toggle byte) {
	h.t.Helper()
	for {
		h.send(true, 1, maxPayload, [8]byte{}, nil)
		_, _, status, data := h.receive()
		if status != 0 || len(data) < 2 || data[0] != 2 {
			h.t.Fatalf("status %d, payload %d bytes", status, len(data))
		}
		frame = append(frame, data[2:]...)
		if data[1]&0x02 != 0 {
			return frame, data[1] & 1
		}
	}
}

func clips() map[Format][][]byte {
	long := bytes.Repeat([]byte{7}, 2*maxPayload)
	return map[Format][][]byte{
		H264:  {{1, 2, 3}, long, {4}},
		MJPEG: {{0xff, 0xd8, 0xff, 0xd9}},
		YUYV:  {make([]byte, maxFrame)},
	}
}

// plug runs check as the kernel that the camera is plugged into.
func plug(t *testing.T, check func(*Camera, *host)) {
	synctest.Test(t, func(t *testing.T) {
		camera, err := New(clips())
		if err != nil {
			t.Fatal(err)
		}
		device, kernel := net.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- camera.Serve(device) }()
		check(camera, &host{t: t, conn: kernel})
		if err := kernel.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("Serve ended with %v", err)
		}
	})
}

func TestEnumeration(t *testing.T) {
	plug(t, func(_ *Camera, h *host) {
		if _, data := h.control(0x80, getDescriptor, typeDevice<<8, 0, 18); !bytes.Equal(data, deviceDescriptor()) {
			t.Errorf("device descriptor %x", data)
		}
		if _, data := h.control(0x80, getDescriptor, typeConfiguration<<8, 0, 9); len(data) != 9 {
			t.Errorf("%d bytes of the configuration, want the 9 that were asked for", len(data))
		}
		const qualifier = 6
		if status, _ := h.control(0x80, getDescriptor, qualifier<<8, 0, 10); status != statusStall {
			t.Errorf("device qualifier: status %d, want a stall", status)
		}
		if status, data := h.control(0xa1, getCur, selectProbe<<8, 1, probeLen); status != 0 || !bytes.Equal(data, probe(H264)) {
			t.Errorf("probe: status %d, %x", status, data)
		}
		if status, _ := h.control(0xa1, getCur, 9<<8, 1, 4); status != statusStall {
			t.Errorf("unknown selector: status %d, want a stall", status)
		}
	})
}

func TestFramesComeWholeInOrderAndToggle(t *testing.T) {
	plug(t, func(c *Camera, h *host) {
		h.commit(H264)
		want := clips()[H264]
		for i := range 2*len(want) + 1 {
			got, toggle := h.frame()
			if !bytes.Equal(got, want[i%len(want)]) || toggle != byte(i%2) {
				t.Fatalf("frame %d: %d bytes, toggle %d", i, len(got), toggle)
			}
		}
		synctest.Wait()
		if n := c.Sent(); n != 7 {
			t.Errorf("%d frames sent, want 7", n)
		}
	})
}

func TestPlayReplacesTheFramesOfItsFormatsOnly(t *testing.T) {
	plug(t, func(c *Camera, h *host) {
		h.commit(MJPEG)
		h.frame()
		want := []byte("another picture")
		if err := c.Play(map[Format][][]byte{MJPEG: {want}}); err != nil {
			t.Fatal(err)
		}
		h.frame() // it may have been under way
		if got, _ := h.frame(); !bytes.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		h.control(0x02, clearFeature, 0, bulkIn, 0)
		h.commit(H264)
		if got, _ := h.frame(); !bytes.Equal(got, clips()[H264][0]) {
			t.Errorf("got %x", got)
		}
		if err := c.Play(map[Format][][]byte{MJPEG: {make([]byte, maxFrame+1)}}); err == nil {
			t.Error("a frame that is too large was taken")
		}
	})
}

func TestStreamRestartsAtTheFirstFrame(t *testing.T) {
	plug(t, func(_ *Camera, h *host) {
		h.commit(H264)
		h.frame()
		h.control(0x02, clearFeature, 0, bulkIn, 0)
		h.commit(MJPEG)
		if got, _ := h.frame(); !bytes.Equal(got, clips()[MJPEG][0]) {
			t.Errorf("got %x", got)
		}
		h.control(0x02, clearFeature, 0, bulkIn, 0)
		h.commit(H264)
		if got, _ := h.frame(); !bytes.Equal(got, clips()[H264][0]) {
			t.Errorf("got %x", got)
		}
	})
}

func TestUnlinkedRequestIsNotAnswered(t *testing.T) {
	plug(t, func(_ *Camera, h *host) {
		h.send(true, 1, maxPayload, [8]byte{}, nil)
		victim := h.seq
		for _, want := range []int32{statusUnlinked, 0} { // the second time it is gone
			h.write(appendWords(nil, cmdUnlink, 100, 65537, 0, 0, victim, 0, 0, 0, 0, 0, 0))
			command, seq, status, _ := h.receive()
			if command != retUnlink || seq != 100 || status != want {
				t.Errorf("command %d, seq %d, status %d, want %d, 100, %d", command, seq, status, retUnlink, want)
			}
		}
		h.commit(H264)
		if got, _ := h.frame(); !bytes.Equal(got, clips()[H264][0]) {
			t.Errorf("got %x", got)
		}
	})
}

func TestFrozenCameraGoesOnWhereItStood(t *testing.T) {
	plug(t, func(c *Camera, h *host) {
		h.commit(H264)
		h.frame()
		c.Freeze(true)
		h.send(true, 1, maxPayload, [8]byte{}, nil)
		synctest.Wait()
		if n := c.Sent(); n != 1 {
			t.Errorf("%d frames sent while frozen, want 1", n)
		}
		c.Freeze(false)
		_, _, _, data := h.receive()
		if want := clips()[H264][1]; !bytes.Equal(data[2:], want[:maxPayload-2]) {
			t.Errorf("got %d bytes, not the start of the second frame", len(data))
		}
	})
}

func TestClipsAreChecked(t *testing.T) {
	for name, f := range map[string]func(map[Format][][]byte){
		"none":     func(m map[Format][][]byte) { delete(m, YUYV) },
		"too long": func(m map[Format][][]byte) { m[H264][0] = make([]byte, maxFrame+1) },
	} {
		m := clips()
		f(m)
		if _, err := New(m); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add(appendWords(nil, cmdSubmit, 1, 65537, 1, 1, 0, maxPayload, 0, 0, 0, 0, 0))
	f.Add(append(appendWords(nil, cmdSubmit, 2, 65537, 0, 0, 0, 4, 0, 0, 0, 0, 0), 1, 2, 3, 4))
	f.Add(appendWords(nil, cmdUnlink, 3, 65537, 0, 0, 1, 0, 0, 0, 0, 0, 0))
	f.Add(appendWords(nil, cmdSubmit, 4, 65537, 0, 0, 0, 1<<31, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := readRequest(bytes.NewReader(b))
		if err != nil {
			return
		}
		if !q.unlink && !q.in && len(q.data) != int(q.length) {
			t.Errorf("%d bytes of data, length %d", len(q.data), q.length)
		}
		p := &plugged{camera: &Camera{}, conn: discard{}, format: H264}
		if err := p.handle(q); err != nil {
			t.Errorf("handle: %v", err)
		}
		if p.format < H264 || p.format > YUYV {
			t.Errorf("format %d", p.format)
		}
	})
}

// discard is a kernel that takes everything and says nothing.
type discard struct{}

func (discard) Read([]byte) (int, error)    { return 0, io.EOF }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Close() error                { return nil }
