package usbcam

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"
)

// Camera is what stays the same from one plugging-in to the next.
type Camera struct {
	clips  atomic.Pointer[[formats][][]byte] // frames of each format, without gaps
	frozen atomic.Bool
	sent   atomic.Int64
}

// New makes a camera that plays the frames of each format in a loop, from the
// first one on whenever a stream starts.
func New(clips map[Format][][]byte) (*Camera, error) {
	c := &Camera{}
	for f := H264; f <= YUYV; f++ {
		if len(clips[f]) == 0 {
			return nil, fmt.Errorf("format %d has no frames", f)
		}
	}
	c.clips.Store(new([formats][][]byte))
	return c, c.Play(clips)
}

// Play replaces the frames of some formats, from the next frame on.
func (c *Camera) Play(clips map[Format][][]byte) error {
	all := *c.clips.Load()
	for f, clip := range clips {
		for i, frame := range clip {
			if len(frame) > maxFrame {
				return fmt.Errorf("frame %d of format %d has %d bytes, more than %d", i, f, len(frame), maxFrame)
			}
		}
		all[f-1] = clip
	}
	c.clips.Store(&all)
	return nil
}

// Freeze makes the camera hang (nothing more comes, no error either) or go on.
func (c *Camera) Freeze(on bool) { c.frozen.Store(on) }

// Sent counts the frames that were sent completely.
func (c *Camera) Sent() int64 { return c.sent.Load() }

// Serve is the camera plugged in: it answers the kernel on conn until that ends,
// and closes it.
func (c *Camera) Serve(conn io.ReadWriteCloser) error {
	p := &plugged{camera: c, conn: conn, format: H264}
	requests, failed := make(chan request), make(chan error, 1)
	done := make(chan struct{})
	go func() { failed <- receive(conn, requests, done) }()
	err := p.run(requests, failed)
	close(done)
	if closeErr := conn.Close(); err == nil {
		err = closeErr
	}
	return err
}

func receive(r io.Reader, to chan<- request, done <-chan struct{}) error {
	for {
		q, err := readRequest(r)
		if err != nil {
			return err
		}
		select {
		case to <- q:
		case <-done:
			return nil
		}
	}
}

// plugged is one plugging-in. Its run owns all of it.
type plugged struct {
	camera *Camera
	conn   io.ReadWriteCloser

	format  Format
	playing bool
	next    int       // frame to send next
	toggle  byte      // FID of the payload headers: alternates from frame to frame
	pieces  [][]byte  // payloads left of the frame under way
	waiting []request // bulk requests that wait for a payload
	out     []byte    // scratch
}

func (p *plugged) run(requests <-chan request, failed <-chan error) error {
	tick := time.NewTicker(Interval * 100 * time.Nanosecond)
	defer tick.Stop()
	for {
		var err error
		select {
		case q := <-requests:
			err = p.handle(q)
		case <-tick.C:
			p.expose()
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return nil // unplugged
			}
			return err
		}
		if err == nil {
			err = p.pump()
		}
		if err != nil {
			return err
		}
	}
}

func (p *plugged) handle(q request) error {
	switch {
	case q.unlink:
		return p.unlink(q)
	case q.endpoint == 0:
		return p.control(q)
	case q.in:
		p.waiting = append(p.waiting, q)
		return nil
	}
	return p.answer(q.seq, statusStall, 0, nil)
}

// unlink gives up a waiting request, which is then never answered itself.
func (p *plugged) unlink(q request) error {
	status := int32(0)
	if i := slices.IndexFunc(p.waiting, func(w request) bool { return w.seq == q.victim }); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		status = statusUnlinked
	}
	_, err := p.conn.Write(appendUnlinked(p.out[:0], q.seq, status))
	return err
}

func (p *plugged) control(q request) error {
	s := parseSetup(q.setup)
	var reply []byte
	ok := false
	if s.class() {
		reply, ok = p.streaming(s, q.data)
	} else {
		reply, ok = standard(s)
	}
	if !ok {
		return p.answer(q.seq, statusStall, 0, nil)
	}
	if s.request == clearFeature && s.kind == 0x02 && s.index == bulkIn {
		p.stop() // how uvcvideo ends a stream on a bulk endpoint
	}
	if !q.in {
		return p.answer(q.seq, 0, len(q.data), nil)
	}
	reply = reply[:min(len(reply), int(q.length))]
	return p.answer(q.seq, 0, len(reply), reply)
}

func (p *plugged) start() {
	p.playing, p.next, p.pieces = true, 0, nil
}

func (p *plugged) stop() {
	p.playing, p.pieces = false, nil
}

// expose takes the next frame, unless the last one is still under way: a late
// host delays the clip and loses nothing of it.
func (p *plugged) expose() {
	if !p.playing || len(p.pieces) > 0 || p.camera.frozen.Load() {
		return
	}
	clip := p.camera.clips.Load()[p.format-1]
	p.pieces = payloads(clip[p.next%len(clip)], p.toggle)
	p.toggle ^= 1
	p.next = (p.next + 1) % len(clip)
}

// payloads cuts a frame into payloads with their headers (UVC 1.1 section 2.4.3.3).
func payloads(frame []byte, toggle byte) [][]byte {
	const head, endOfHeader, endOfFrame = 2, 0x80, 0x02
	var l [][]byte
	for piece := range slices.Chunk(frame, maxPayload-head) {
		l = append(l, append([]byte{head, endOfHeader | toggle}, piece...))
	}
	l[len(l)-1][1] |= endOfFrame
	return l
}

// pump answers waiting requests as far as there are payloads.
func (p *plugged) pump() error {
	for len(p.waiting) > 0 && len(p.pieces) > 0 {
		piece := p.pieces[0]
		if uint32(len(piece)) > p.waiting[0].length {
			return fmt.Errorf("the host wants %d bytes, less than a payload of %d", p.waiting[0].length, len(piece))
		}
		if err := p.answer(p.waiting[0].seq, 0, len(piece), piece); err != nil {
			return err
		}
		p.pieces, p.waiting = p.pieces[1:], p.waiting[1:]
		if len(p.pieces) == 0 {
			p.camera.sent.Add(1)
		}
	}
	return nil
}

func (p *plugged) answer(seq uint32, status int32, actual int, data []byte) error {
	p.out = appendSubmitted(p.out[:0], seq, status, actual, data)
	_, err := p.conn.Write(p.out)
	return err
}
