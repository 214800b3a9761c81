package capture

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/media/avc"
)

// fileSource plays a file at the configured rate, in a loop: H.264 in Annex B form, as if
// it were a camera that gives H.264 and can't be asked for keyframes, or raw pictures.
// It is for benchmarks and comparisons. The file is mapped into memory, so that its
// size doesn't matter and no picture is copied to be read; whoever cuts it short
// while it plays ends camd.
type fileSource struct{ cfg Config }

func (s fileSource) open() (stream, error) {
	m, err := mapFile(s.cfg.File)
	if err != nil {
		return nil, &fault{fmt.Sprintf("The file %s can't be read: check file in the configuration.", s.cfg.File), err}
	}
	if bytes.HasPrefix(m.data, []byte(y4m)) {
		f, err := openRaw(s.cfg, m)
		if err != nil {
			return nil, errors.Join(&fault{fmt.Sprintf("The file %s holds no raw pictures that camd can encode: YUV4MPEG2 with 8 bits and 4:2:0 is needed.", s.cfg.File), err}, m.close())
		}
		return f, nil
	}
	f := &film{cfg: s.cfg, mapping: m}
	if err := f.rewind(); err != nil {
		return nil, errors.Join(&fault{fmt.Sprintf("The file %s holds no H.264 in Annex B form that begins with a keyframe.", s.cfg.File), err}, m.close())
	}
	f.pacer = newPacer(float64(s.cfg.Rate))
	return f, nil
}

// film is a file that plays.
type film struct {
	cfg     Config
	mapping mapping
	pacer   *pacer
	start   int // of the first picture that a decoder can begin with
	at      int // of the next access unit
}

// maxLeadIn bounds how far into a file its first keyframe is looked for.
const maxLeadIn = 4 * avc.MaxUnit

// rewind finds the first access unit that a decoder can start with.
func (f *film) rewind() error {
	for f.at < min(len(f.mapping.data), maxLeadIn) {
		begin := f.at
		u, err := f.next()
		if err != nil {
			return err
		}
		if (u.Key || u.Recovers) && avc.SetsIn(u.Data).SPS(u.Data) != nil {
			f.start, f.at = begin, begin
			return nil
		}
	}
	return errNoKey
}

// next reads one access unit; its Data is nil at the end of the file.
func (f *film) next() (avc.Unit, error) {
	rest := f.mapping.data[f.at:]
	window := rest[:min(len(rest), avc.MaxUnit)]
	u, after := avc.NextUnit(window)
	if after == nil && len(window) < len(rest) {
		return u, fmt.Errorf("at byte %d: %w", f.at, avc.ErrTooLong)
	}
	f.at += len(window) - len(after)
	return u, nil
}

func (f *film) grab() (picture, error) {
	pts, _, ok := f.pacer.wait()
	if !ok {
		return picture{}, errInterrupted
	}
	u, err := f.next()
	if err == nil && !u.Coded {
		f.at = f.start // what is left has no picture
		u, err = f.next()
	}
	return picture{data: u.Data, pts: pts}, err
}

func (f *film) interrupt() { f.pacer.interrupt() }

func (f *film) close() error { return f.mapping.close() }

func (f *film) shape() shape {
	s := shape{where: "file " + f.cfg.File, coded: true, rate: float64(f.cfg.Rate)}
	if f.cfg.FlipHorizontal || f.cfg.FlipVertical {
		s.losses = []string{"A file can't be flipped: its H.264 isn't decoded."}
	}
	return s
}
