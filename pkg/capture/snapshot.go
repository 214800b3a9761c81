package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/pkg/media/fmp4"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	snapshotPatience = 3 * time.Second // how long to wait for a picture
	snapshotQueue    = 4               // requests that the camera has not seen yet
	maxStill         = 192 << 10       // bytes of a JPEG; a larger one is compressed more
)

// snapshot is a copy of one picture, for one request.
type snapshot struct {
	raw  *image.YCbCr // 4:2:0 in video's range
	unit []byte       // or an access unit with an IDR and its parameter sets
}

// Picture returns the camera's present picture, as a JPEG. Of a camera that gives H.264 it
// returns an IDR as an MP4 of one picture: the next one, if an IDR can be requested, or the
// last one. kind is proto.PictureJPEG or PictureMP4, and data has at most proto.MaxPicture
// bytes. The camera's goroutine only makes a copy; the rest is done here. An error is a
// *proto.Refusal, the cause of ctx's end, or a fault.
func (c *Camera) Picture(ctx context.Context) (data []byte, kind string, err error) {
	s, err := c.requestSnapshot(ctx)
	if err != nil {
		return nil, "", err
	}
	if kind = proto.PictureJPEG; s.raw != nil {
		data, err = still(s.raw)
	} else {
		kind = proto.PictureMP4
		data, err = movie(s.unit)
	}
	switch closed, _ := c.shutter.Closed(); {
	case closed: // began meanwhile
		return nil, "", proto.Refuse(proto.CodePrivacy)
	case err != nil:
		return nil, "", fmt.Errorf("make a picture: %w", err)
	case len(data) > proto.MaxPicture:
		c.log.Warn("the camera's picture is too large to send", "bytes", len(data))
		return nil, "", proto.Refuse(proto.CodeNoMedia)
	}
	return data, kind, nil
}

// requestSnapshot requests a picture from the camera's goroutine and waits for it.
func (c *Camera) requestSnapshot(ctx context.Context) (snapshot, error) {
	closed, changed := c.shutter.Closed()
	if closed {
		return snapshot{}, proto.Refuse(proto.CodePrivacy)
	}
	to := make(chan snapshot, 1)
	select {
	case c.snapshotRequests <- to:
	default: // the camera is away, or many ask at once
		return snapshot{}, proto.Refuse(proto.CodeNoMedia)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	timer := time.NewTimer(snapshotPatience)
	defer timer.Stop()
	select {
	case s := <-to:
		return s, nil
	case <-changed:
		return snapshot{}, proto.Refuse(proto.CodePrivacy)
	case <-timer.C:
		return snapshot{}, proto.Refuse(proto.CodeNoMedia)
	case <-ctx.Done():
		return snapshot{}, context.Cause(ctx)
	}
}

// snapshotWanted reports whether somebody waits for a picture. It is cheap enough for each frame.
func (c *Camera) snapshotWanted() bool { return len(c.snapshotRequests) > 0 }

// answerRequests sends a copy to each request. Only the camera's goroutine calls it.
func (c *Camera) answerRequests(copied func() snapshot) {
	for {
		select {
		case to := <-c.snapshotRequests:
			to <- copied() // has room: it is used once
		default:
			return
		}
	}
}

// copyPicture copies a planar 4:2:0 picture.
func copyPicture(m *image.YCbCr) *image.YCbCr {
	out := image.NewYCbCr(image.Rect(0, 0, m.Rect.Dx(), m.Rect.Dy()), image.YCbCrSubsampleRatio420)
	rows := func(to, from []byte, toStride, fromStride, width, n int) {
		for y := range n {
			copy(to[y*toStride:][:width], from[y*fromStride:])
		}
	}
	w, h := m.Rect.Dx(), m.Rect.Dy()
	rows(out.Y, m.Y, out.YStride, m.YStride, w, h)
	rows(out.Cb, m.Cb, out.CStride, m.CStride, w/2, h/2)
	rows(out.Cr, m.Cr, out.CStride, m.CStride, w/2, h/2)
	return out
}

// still returns a JPEG of at most maxStill bytes, at lower quality and then at a smaller
// size until it fits. It changes m from video's range of values to JPEG's, which is the full
// range (ITU-T T.871 section 7, BT.601).
func still(m *image.YCbCr) (_ []byte, err error) {
	for i, v := range m.Y {
		m.Y[i] = fullLuma[v]
	}
	for i, v := range m.Cb {
		m.Cb[i] = fullChroma[v]
	}
	for i, v := range m.Cr {
		m.Cr[i] = fullChroma[v]
	}
	for {
		for _, quality := range []int{80, 60, 40} {
			var b bytes.Buffer
			if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
				return nil, err
			}
			if b.Len() <= maxStill || m.Rect.Dx() < 64 || m.Rect.Dy() < 64 {
				return b.Bytes(), nil
			}
		}
		if m, err = half(m); err != nil {
			return nil, err
		}
	}
}

var fullLuma, fullChroma = func() (luma, chroma [256]byte) {
	for i := range 256 {
		luma[i] = byte(min(max(((i-16)*255+109)/219, 0), 255))    //nolint:gosec // 0 to 255
		chroma[i] = byte(min(max(128+((i-128)*255)/224, 0), 255)) //nolint:gosec // 0 to 255
	}
	return luma, chroma
}()

// half returns a picture of half the size, even on both sides.
func half(m *image.YCbCr) (*image.YCbCr, error) {
	size := image.Pt(m.Rect.Dx()/2&^1, m.Rect.Dy()/2&^1)
	s, err := h264.NewScaler(m.Rect.Size(), size)
	if err != nil {
		return nil, err
	}
	out := image.NewYCbCr(image.Rectangle{Max: size}, image.YCbCrSubsampleRatio420)
	return out, s.Scale(out, m)
}

// movie returns an MP4 of one access unit.
func movie(unit []byte) ([]byte, error) {
	u, _ := avc.NextUnit(unit)
	sps, pps := avc.SetsIn(u.Data).Of(u.Data)
	if !u.Key || sps == nil {
		return nil, errors.New("an IDR without its parameter sets")
	}
	s, err := avc.ParseSPS(sps)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := fmp4.NewWriter(&b, fmp4.Tracks{Video: &fmp4.VideoTrack{SPS: sps, PPS: pps, Width: s.Width, Height: s.Height}})
	if err == nil {
		err = w.WriteVideo(u.Data, 0, true)
	}
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}
