package v4l2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

// maxListed bounds how many formats, sizes and rates of a device are read, should
// a driver never end its list.
const maxListed = 256

// Paths lists the video nodes by number.
func Paths() ([]string, error) {
	paths, err := filepath.Glob("/dev/video[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("list video devices: %w", err)
	}
	number := func(p string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(p, "/dev/video"))
		return n
	}
	slices.SortFunc(paths, func(a, b string) int { return number(a) - number(b) })
	return paths, nil
}

// Identify tells name and place of a node without its formats. The error is
// ErrNotCamera for a node that is something else, such as the metadata node that
// each USB camera has.
func Identify(path string) (Device, error) {
	fd, err := openNode(path)
	if err != nil {
		return Device{}, err
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	return identify(fd, path)
}

func openNode(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", path, err)
	}
	return fd, nil
}

func identify(fd int, path string) (Device, error) {
	var c capability
	if err := call(fd, vidiocQueryCap, &c); err != nil {
		return Device{}, fmt.Errorf("query %s: %w", path, errors.Join(ErrNotCamera, err))
	}
	d := Device{Path: path, Name: cString(c.card[:]), Bus: cString(c.busInfo[:]), Index: nodeIndex(path)}
	caps := c.capabilities
	if caps&capDeviceCaps != 0 {
		caps = c.deviceCaps
	}
	if caps&capVideoCapture == 0 || caps&capStreaming == 0 {
		return d, fmt.Errorf("query %s: %w", path, ErrNotCamera)
	}
	return d, nil
}

// nodeIndex reads which node of its hardware path is.
func nodeIndex(path string) int {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return -1
	}
	b, err := os.ReadFile(filepath.Join("/sys/class/video4linux", filepath.Base(real), "index"))
	if err != nil {
		return -1
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return -1
	}
	return n
}

// Describe is Identify with the formats. Rates are those at width x height where a
// size covers it.
func Describe(path string, width, height int) (Device, error) {
	d, err := Identify(path)
	if err != nil {
		return d, err
	}
	// The library opens without O_CLOEXEC: no child may be started until its
	// descriptor is closed again. Listing only reads what the driver has in memory.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	cam, err := webcam.Open(path)
	if err != nil {
		return d, fmt.Errorf("open %s: %w", path, err)
	}
	d.Formats = formats(cam, width, height)
	if err := cam.Close(); err != nil {
		return d, fmt.Errorf("close %s: %w", path, err)
	}
	return d, nil
}

func formats(cam *webcam.Webcam, width, height int) []Format {
	var l []Format
	for pixel, text := range cam.GetSupportedFormats() {
		f := Format{Pixel: PixelFormat(pixel), Description: text}
		for _, s := range cam.GetSupportedFrameSizes(pixel) {
			if len(f.Sizes) < maxListed {
				f.Sizes = append(f.Sizes, size(cam, pixel, s, width, height))
			}
		}
		l = append(l, f)
	}
	slices.SortFunc(l, func(a, b Format) int { return strings.Compare(a.Pixel.String(), b.Pixel.String()) })
	return l
}

func size(cam *webcam.Webcam, pixel webcam.PixelFormat, s webcam.FrameSize, width, height int) Size {
	z := Size{
		MinWidth: int(s.MinWidth), MaxWidth: int(s.MaxWidth), StepWidth: int(s.StepWidth),
		MinHeight: int(s.MinHeight), MaxHeight: int(s.MaxHeight), StepHeight: int(s.StepHeight),
	}
	w, h := s.MaxWidth, s.MaxHeight
	if z.Covers(width, height) {
		w, h = uint32(width), uint32(height) //nolint:gosec // within the driver's uint32 range
	}
	for _, r := range cam.GetSupportedFramerates(pixel, w, h) {
		if len(z.Rates) < maxListed {
			z.Rates = append(z.Rates, rates(r)...)
		}
	}
	slices.Sort(z.Rates)
	z.Rates = slices.Compact(z.Rates)
	return z
}

// rates turns a frame interval, or a range of them, into its rates. Of a range
// every whole number of frames per second is there.
func rates(r webcam.FrameRate) []float64 {
	if r.MinNumerator == 0 || r.MaxNumerator == 0 {
		return nil
	}
	fast := float64(r.MinDenominator) / float64(r.MinNumerator) // the shortest interval
	slow := float64(r.MaxDenominator) / float64(r.MaxNumerator)
	l := []float64{fast}
	if slow < fast {
		l = append(l, slow)
	}
	for n := float64(int(slow) + 1); n < min(fast, 241); n++ {
		l = append(l, n)
	}
	return l
}
