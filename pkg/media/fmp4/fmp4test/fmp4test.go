// Package fmp4test reads the samples out of fragmented MP4 files, so that tests can
// compare them with what went in. It reads what pkg/media/fmp4 writes and files like
// it (default-base-is-moof, a size for each sample); anything else is an error.
package fmp4test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Sample is one access unit or Opus packet.
type Sample struct {
	Data          []byte
	PTS, Duration time.Duration // on the track's own timeline
	Key           bool
	First         bool // of its fragment
}

var errFormat = errors.New("not a fragmented MP4 file of the kind that is read here")

// Samples reads a whole file. The tracks are told apart by their handlers; there is
// at most one of each.
func Samples(r io.Reader) (video, audio []Sample, err error) {
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, err
	}
	f := reader{tracks: map[uint32]*track{}}
	for at := 0; at < len(file); {
		kind, body, size, err := next(file[at:])
		if err != nil {
			return nil, nil, fmt.Errorf("byte %d: %w", at, err)
		}
		switch kind {
		case "moov":
			err = f.moov(body)
		case "moof":
			err = f.moof(body, file[at:])
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s at byte %d: %w", kind, at, err)
		}
		at += size
	}
	for _, t := range f.tracks {
		switch t.handler {
		case "vide":
			video = t.samples
		case "soun":
			audio = t.samples
		}
	}
	return video, audio, nil
}

// NALs splits a video sample with lengths of four bytes.
func NALs(sample []byte) (nals [][]byte, err error) {
	for len(sample) > 0 {
		if len(sample) < 4 || uint64(binary.BigEndian.Uint32(sample)) > uint64(len(sample)-4) {
			return nil, fmt.Errorf("%w: NAL unit longer than its sample", errFormat)
		}
		end := 4 + int(binary.BigEndian.Uint32(sample))
		nals, sample = append(nals, sample[4:end]), sample[end:]
	}
	return nals, nil
}

type track struct {
	handler string
	scale   uint32
	samples []Sample
}

type reader struct{ tracks map[uint32]*track }

// next reads the first box. size includes its header.
func next(b []byte) (kind string, body []byte, size int, err error) {
	if len(b) < 8 {
		return "", nil, 0, fmt.Errorf("%w: half a box", errFormat)
	}
	n := binary.BigEndian.Uint32(b)
	if n < 8 || uint64(n) > uint64(len(b)) {
		return "", nil, 0, fmt.Errorf("%w: box of %d bytes in %d", errFormat, n, len(b))
	}
	return string(b[4:8]), b[8:n], int(n), nil
}

// each calls visit for every box in b.
func each(b []byte, visit func(kind string, body []byte) error) error {
	for len(b) > 0 {
		kind, body, size, err := next(b)
		if err != nil {
			return err
		}
		if err := visit(kind, body); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// u32 reads a field of a box.
func u32(b []byte, at int) (uint32, error) {
	if len(b) < at+4 {
		return 0, fmt.Errorf("%w: box too short", errFormat)
	}
	return binary.BigEndian.Uint32(b[at:]), nil
}

func (f *reader) moov(b []byte) error {
	return each(b, func(kind string, body []byte) error {
		if kind != "trak" {
			return nil
		}
		t := &track{}
		var id uint32
		if err := t.trak(body, &id); err != nil {
			return err
		}
		if t.scale == 0 || f.tracks[id] != nil {
			return fmt.Errorf("%w: track %d", errFormat, id)
		}
		f.tracks[id] = t
		return nil
	})
}

func (t *track) trak(b []byte, id *uint32) error {
	return each(b, func(kind string, body []byte) (err error) {
		switch kind {
		case "tkhd":
			*id, err = u32(body, 12)
		case "mdia":
			err = t.trak(body, id)
		case "mdhd":
			t.scale, err = u32(body, 12)
		case "hdlr":
			if len(body) < 12 {
				return fmt.Errorf("%w: hdlr too short", errFormat)
			}
			t.handler = string(body[8:12])
		}
		return err
	})
}

// moof reads a fragment, whose data lie at offsets from its own begin.
func (f *reader) moof(b, fromHere []byte) error {
	return each(b, func(kind string, body []byte) error {
		if kind != "traf" {
			return nil
		}
		var t *track
		var at uint64
		return each(body, func(kind string, body []byte) error {
			switch kind {
			case "tfhd":
				id, err := u32(body, 4)
				if t = f.tracks[id]; err == nil && t == nil {
					err = fmt.Errorf("%w: fragment of unknown track %d", errFormat, id)
				}
				return err
			case "tfdt":
				if len(body) < 12 || body[0] != 1 {
					return fmt.Errorf("%w: tfdt is not of version 1", errFormat)
				}
				at = binary.BigEndian.Uint64(body[4:])
			case "trun":
				if t == nil {
					return fmt.Errorf("%w: trun before tfhd", errFormat)
				}
				return t.run(body, fromHere, at)
			}
			return nil
		})
	})
}

// run reads a track run with data offset and, for each sample, duration, size and flags.
func (t *track) run(b, fromHere []byte, at uint64) error {
	const all = 0x000701
	if len(b) < 12 || binary.BigEndian.Uint32(b) != all {
		return fmt.Errorf("%w: trun with other fields", errFormat)
	}
	n, offset := binary.BigEndian.Uint32(b[4:]), uint64(binary.BigEndian.Uint32(b[8:]))
	if b = b[12:]; uint64(n)*12 != uint64(len(b)) {
		return fmt.Errorf("%w: trun of %d samples in %d bytes", errFormat, n, len(b))
	}
	for i := range n {
		duration, size, flags := binary.BigEndian.Uint32(b), uint64(binary.BigEndian.Uint32(b[4:])), binary.BigEndian.Uint32(b[8:])
		if offset+size > uint64(len(fromHere)) {
			return fmt.Errorf("%w: sample beyond the end", errFormat)
		}
		t.samples = append(t.samples, Sample{
			Data: fromHere[offset : offset+size], PTS: t.time(at), Duration: t.time(uint64(duration)),
			Key: flags&(1<<16) == 0, First: i == 0,
		})
		offset, at, b = offset+size, at+uint64(duration), b[12:]
	}
	return nil
}

// time turns units of the track into time, rounded.
func (t *track) time(units uint64) time.Duration {
	scale := uint64(t.scale)
	s, rest := units/scale, units%scale
	return time.Duration(s)*time.Second + time.Duration((rest*uint64(time.Second)+scale/2)/scale)
}
