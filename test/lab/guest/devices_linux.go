package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"sync"
	"unsafe"

	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/test/lab/agent"
	"github.com/camd-project/camd/test/lab/usbcam"
)

// usb is the software USB camera and how to pull it out.
type usb struct {
	mu     sync.Mutex
	camera *usbcam.Camera
	unplug func() error
}

var errUnplugged = errors.New("no USB camera is plugged in")

// Plug plugs the USB camera in. clip is an Annex B file that begins with an IDR.
func (g *Guest) Plug(clip string, _ *agent.Empty) error {
	g.usb.mu.Lock()
	defer g.usb.mu.Unlock()
	if g.usb.unplug != nil {
		return errors.New("the USB camera is plugged in already")
	}
	if g.usb.camera == nil {
		camera, err := newCamera(clip)
		if err != nil {
			return err
		}
		g.usb.camera = camera
	}
	unplug, err := g.usb.camera.Plug()
	g.usb.unplug = unplug
	return err
}

// Unplug pulls the USB camera out.
func (g *Guest) Unplug(_ agent.Empty, _ *agent.Empty) error {
	g.usb.mu.Lock()
	defer g.usb.mu.Unlock()
	if g.usb.unplug == nil {
		return errUnplugged
	}
	err := g.usb.unplug()
	g.usb.unplug = nil
	return err
}

// Freeze makes the USB camera hang, or go on.
func (g *Guest) Freeze(on bool, _ *agent.Empty) error {
	g.usb.mu.Lock()
	defer g.usb.mu.Unlock()
	if g.usb.camera == nil {
		return errUnplugged
	}
	g.usb.camera.Freeze(on)
	return nil
}

// ShowPicture has the USB camera see a picture, a PNG file of its size, instead of what moves:
// its MJPEG and raw formats do. It must be plugged in, or have been.
func (g *Guest) ShowPicture(file []byte, _ *agent.Empty) error {
	decoded, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return err
	}
	size := image.Rect(0, 0, usbcam.Width, usbcam.Height)
	if decoded.Bounds() != size {
		return fmt.Errorf("the picture is %v, want %v", decoded.Bounds(), size)
	}
	picture := image.NewYCbCr(size, image.YCbCrSubsampleRatio420)
	for y := range usbcam.Height {
		for x := range usbcam.Width {
			c := color.YCbCrModel.Convert(decoded.At(x, y)).(color.YCbCr)
			i, j := picture.YOffset(x, y), picture.COffset(x, y)
			picture.Y[i], picture.Cb[j], picture.Cr[j] = c.Y, c.Cb, c.Cr
		}
	}
	mjpeg, err := encoded(picture)
	if err != nil {
		return err
	}
	g.usb.mu.Lock()
	defer g.usb.mu.Unlock()
	if g.usb.camera == nil {
		return errUnplugged
	}
	return g.usb.camera.Play(map[usbcam.Format][][]byte{usbcam.MJPEG: {mjpeg}, usbcam.YUYV: {packed(picture)}})
}

func encoded(picture image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		return nil, fmt.Errorf("make a JPEG picture: %w", err)
	}
	return b.Bytes(), nil
}

func newCamera(clip string) (*usbcam.Camera, error) {
	data, err := os.ReadFile(clip)
	if err != nil {
		return nil, err
	}
	const pictures = 15 // a second of them
	clips := map[usbcam.Format][][]byte{usbcam.H264: accessUnits(data)}
	for i := range pictures {
		picture := moving(i * usbcam.Width / pictures)
		mjpeg, err := encoded(picture)
		if err != nil {
			return nil, err
		}
		clips[usbcam.MJPEG] = append(clips[usbcam.MJPEG], mjpeg)
		clips[usbcam.YUYV] = append(clips[usbcam.YUYV], packed(picture))
	}
	return usbcam.New(clips)
}

func accessUnits(clip []byte) [][]byte {
	var l [][]byte
	for u, rest := avc.NextUnit(clip); u.Data != nil; u, rest = avc.NextUnit(rest) {
		l = append(l, u.Data)
	}
	return l
}

// moving is a slope of brightness that begins at column at, in one colour.
func moving(at int) *image.YCbCr {
	p := image.NewYCbCr(image.Rect(0, 0, usbcam.Width, usbcam.Height), image.YCbCrSubsampleRatio420)
	for i := range p.Y {
		p.Y[i] = byte(16 + (i%p.YStride+at)%usbcam.Width*219/usbcam.Width)
	}
	c := color.YCbCrModel.Convert(color.RGBA{R: 200, G: 120, B: 60, A: 255}).(color.YCbCr)
	for i := range p.Cb {
		p.Cb[i], p.Cr[i] = c.Cb, c.Cr
	}
	return p
}

// packed is the picture as YUYV.
func packed(p *image.YCbCr) []byte {
	b := make([]byte, 0, 2*len(p.Y))
	for y := range usbcam.Height {
		for x := 0; x < usbcam.Width; x += 2 {
			i, c := p.YOffset(x, y), p.COffset(x, y)
			b = append(b, p.Y[i], p.Cb[c], p.Y[i+1], p.Cr[c])
		}
	}
	return b
}

// Control sets a V4L2 control (VIDIOC_S_CTRL).
func (g *Guest) Control(c agent.Control, _ *agent.Empty) error {
	f, err := os.OpenFile(c.Device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	const setControl = 0xc008561c // VIDIOC_S_CTRL: _IOWR('V', 28, struct v4l2_control)
	control := struct {
		id    uint32
		value int32
	}{c.ID, c.Value}
	if err := ioctl(f.Fd(), setControl, unsafe.Pointer(&control)); err != nil {
		return fmt.Errorf("set control %#x of %s: %w", c.ID, c.Device, err)
	}
	return nil
}
