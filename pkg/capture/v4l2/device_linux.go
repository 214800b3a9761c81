package v4l2

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxListed bounds how many formats, sizes and rates of a device are read, should
// a driver never end its list.
const maxListed = 256

// classFolder is where the kernel lists its video devices.
const classFolder = "/sys/class/video4linux"

// Paths lists the video nodes by number, also those that /dev lacks.
func Paths() ([]string, error) {
	paths, err := filepath.Glob("/dev/video[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("list video devices: %w", err)
	}
	known, err := filepath.Glob(classFolder + "/video[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("list video devices: %w", err)
	}
	for _, k := range known {
		if p := "/dev/" + filepath.Base(k); !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	number := func(p string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(p, "/dev/video"))
		return n
	}
	slices.SortFunc(paths, func(a, b string) int { return number(a) - number(b) })
	return paths, nil
}

// Identify returns name and place of a node without its formats. The error is a
// NotCamera for a node that is something else, such as the metadata node that each
// USB camera has; the Device then has its name all the same.
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
	if errors.Is(err, unix.ENOENT) {
		if _, known := os.Stat(filepath.Join(classFolder, filepath.Base(path))); known == nil {
			err = ErrNoNode
		}
	}
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", path, err)
	}
	return fd, nil
}

func identify(fd int, path string) (Device, error) {
	var c capability
	if err := call(fd, vidiocQueryCap, &c); err != nil {
		return Device{}, fmt.Errorf("query %s: %w", path, errors.Join(NotCamera("no V4L2 device"), err))
	}
	d := Device{Path: path, Name: cString(c.card[:]), Bus: cString(c.busInfo[:]), Index: nodeIndex(path)}
	caps := c.capabilities
	if caps&capDeviceCaps != 0 {
		caps = c.deviceCaps
	}
	if what := other(caps); what != "" {
		return d, fmt.Errorf("query %s: %w", path, what)
	}
	d.Multiplanar = caps&capVideoCapture == 0
	return d, nil
}

// other returns what a node is that is no camera.
func other(caps uint32) NotCamera {
	switch {
	case caps&(capM2M|capM2MMP) != 0:
		return "converts pictures in memory"
	case caps&(capVideoCapture|capVideoCaptureMP) != 0 && caps&capStreaming != 0:
		return ""
	case caps&(capVideoCapture|capVideoCaptureMP) != 0:
		return "captures without streaming"
	case caps&(capMetaCapture|capMetaOutput) != 0:
		return "metadata only"
	case caps&(capVideoOutput|capVideoOutputMP) != 0:
		return "output only"
	}
	return "captures no pictures"
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
	fd, err := openNode(path)
	if err != nil {
		return Device{}, err
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	d, err := identify(fd, path)
	if err == nil {
		d.Formats = formats(fd, d.kind(), width, height)
	}
	return d, err
}

// kind returns the type of a device's buffers.
func (d Device) kind() uint32 {
	if d.Multiplanar {
		return kindVideoCaptureMP
	}
	return kindVideoCapture
}

func formats(fd int, kind uint32, width, height int) (l []Format) {
	for i := range uint32(maxListed) {
		d := formatDesc{index: i, kind: kind}
		if call(fd, vidiocEnumFmt, &d) != nil {
			break // EINVAL ends the list
		}
		f := Format{Pixel: PixelFormat(d.pixelFormat), Description: cString(d.description[:])}
		f.Sizes = sizes(fd, d.pixelFormat, width, height)
		l = append(l, f)
	}
	slices.SortStableFunc(l, func(a, b Format) int { return strings.Compare(a.Pixel.String(), b.Pixel.String()) })
	return l
}

func sizes(fd int, pixel uint32, width, height int) (l []Size) {
	for i := range uint32(maxListed) {
		f := frameSize{index: i, pixelFormat: pixel}
		if call(fd, vidiocEnumFrameSizes, &f) != nil {
			break
		}
		s := f.size
		if f.kind == discrete {
			s = [6]uint32{s[0], s[0], 0, s[1], s[1], 0}
		}
		z := Size{
			MinWidth: int(s[0]), MaxWidth: int(s[1]), StepWidth: int(s[2]),
			MinHeight: int(s[3]), MaxHeight: int(s[4]), StepHeight: int(s[5]),
		}
		w, h := s[1], s[4]
		if z.Covers(width, height) {
			w, h = uint32(width), uint32(height) //nolint:gosec // within the driver's uint32 range
		}
		z.Rates = rates(fd, pixel, w, h)
		l = append(l, z)
		if f.kind != discrete {
			break // a range is the only one
		}
	}
	return l
}

func rates(fd int, pixel, width, height uint32) (l []float64) {
	for i := range uint32(maxListed) {
		f := frameInterval{index: i, pixelFormat: pixel, width: width, height: height}
		if call(fd, vidiocEnumFrameIntervals, &f) != nil {
			break
		}
		if f.kind == discrete {
			l = append(l, spread(f.interval[0], f.interval[0])...)
			continue
		}
		l = append(l, spread(f.interval[0], f.interval[1])...)
		break
	}
	slices.Sort(l)
	return slices.Compact(l)
}

// spread turns a range of frame intervals into rates: its ends, and every whole
// number of frames per second.
func spread(shortest, longest fract) []float64 {
	if shortest.numerator == 0 || longest.numerator == 0 {
		return nil
	}
	fast, slow := shortest.rate(), longest.rate()
	l := []float64{fast}
	if slow < fast {
		l = append(l, slow)
	}
	for n := float64(int(slow) + 1); n < min(fast, 241); n++ {
		l = append(l, n)
	}
	return l
}

func (f fract) rate() float64 { return float64(f.denominator) / float64(f.numerator) }
