package alsa

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"
)

// whole makes the set of all configurations.
func whole() *hwParams {
	p := &hwParams{rmask: math.MaxUint32}
	for i := range p.masks {
		for j := range p.masks[i] {
			p.masks[i][j] = math.MaxUint32
		}
	}
	for i := range p.intervals {
		p.intervals[i] = interval{max: math.MaxUint32}
	}
	return p
}

// usable narrows the set to what Open takes with some number of channels.
func usable(minChannels, maxChannels uint32) *hwParams {
	p := whole()
	p.masks[paramAccess] = mask{1 << accessRWInterleaved}
	p.masks[paramFormat] = mask{1 << formatS16LE}
	p.masks[paramSubformat] = mask{1 << subformatStd}
	p.between(paramRate, Rate, Rate)
	p.between(paramChannels, minChannels, maxChannels)
	return p
}

func (p *hwParams) between(param int, lowest, highest uint32) {
	p.intervals[param] = interval{lowest, highest, intervalInteger}
}

// wishes are tried in turn: first 20 ms, then 10 to 20 ms, then whatever the card
// can. Among what a wish leaves open the kernel chooses the shortest period and the
// largest buffer; a large one costs no latency and forgives 200 ms of a busy machine.
var wishes = []struct{ minPeriod, maxPeriod, minBuffer, maxBuffer uint32 }{
	{Period, Period, 4 * Period, 10 * Period},
	{Period / 2, Period, 2 * Period, 10 * Period},
	{64, 4 * Period, 128, 20 * Period},
}

// configure sets the card to one channel or else two, and returns how many they
// are and how many frames its buffer holds.
func configure(fd uintptr, way Way) (channels, buffer int, err error) {
	for _, ch := range []uint32{1, 2} {
		for _, w := range wishes {
			p := usable(ch, ch)
			p.between(paramPeriodSize, w.minPeriod, w.maxPeriod)
			p.between(paramBufferSize, w.minBuffer, w.maxBuffer)
			err := exchange(fd, "HW_PARAMS", reqHWParams, p)
			if errors.Is(err, unix.EINVAL) {
				continue // the set is empty
			}
			if err != nil {
				return 0, 0, err
			}
			return int(ch), int(p.intervals[paramBufferSize].min), software(fd, p, way)
		}
	}
	return 0, 0, ErrFormat
}

// software has the reader or writer woken at the end of each period, and an xrun
// declared when the buffer is full or, in playback, empty. With more than one frame
// to wait for, a reader that has taken the first frames of a period already would
// sleep through its end.
//
// A playback card starts once two periods wait in it, so that a writer who is late
// with the second frame of all doesn't starve it. The kernel overwrites with silence
// what was played: a card that stops between two interrupts repeats nothing.
func software(fd uintptr, hw *hwParams, way Way) error {
	buffer := hw.intervals[paramBufferSize].min
	s := &swParams{
		periodStep:     1,
		availMin:       1,
		xferAlign:      1,
		startThreshold: 1,
		stopThreshold:  uint(buffer),
	}
	if way == Out {
		s.startThreshold = uint(min(2*Period, buffer/2))
		s.silenceSize = math.MaxInt // at least the boundary, which asks for all of it
	}
	return exchange(fd, "SW_PARAMS", reqSWParams, s)
}

// refine narrows p to what the card can do. The card stays as it is.
func refine(fd uintptr, p *hwParams) error {
	err := exchange(fd, "HW_REFINE", reqHWRefine, p)
	if errors.Is(err, unix.EINVAL) {
		return ErrFormat
	}
	return err
}
