package fmp4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/media/avc"
)

// Writer makes one file. It is for one goroutine.
type Writer struct {
	w            io.Writer
	tracks       Tracks
	video, audio track

	begun     bool          // zero is known
	zero      time.Duration // PTS at which the file begins
	otherSets bool          // the stream brings parameter sets that the header hasn't
	sequence  uint32
	head      boxes // reused
}

// NewWriter writes the header to w.
func NewWriter(w io.Writer, t Tracks) (*Writer, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("write MP4: %w", err)
	}
	if _, err := w.Write(header(t)); err != nil {
		return nil, fmt.Errorf("write MP4 header: %w", err)
	}
	return &Writer{
		w: w, tracks: t,
		video: track{id: videoID, scale: videoScale, usual: videoScale / 15},
		audio: track{id: audioID, scale: audioScale, usual: audioScale / 50},
	}, nil
}

// WriteVideo takes an access unit in Annex B form, in the order of PTS. What comes
// before the first keyframe is left out. It fails with ErrChanged when the access
// unit brings an SPS of another size or profile; the file can still be closed.
func (w *Writer) WriteVideo(annexB []byte, pts time.Duration, key bool) error {
	if w.tracks.Video == nil {
		return errors.New("write video: the file has no video track")
	}
	if !w.begun {
		if !key {
			return nil
		}
		w.begun, w.zero = true, pts
	}
	t := &w.video
	from := len(t.data)
	if err := w.units(annexB); err != nil {
		t.data = t.data[:from]
		return err
	}
	flags := uint32(flagsDelta)
	if key {
		flags = flagsSync
	}
	return w.add(t, pts, len(t.data)-from, flags, key)
}

// add makes a sample of the last size bytes of a track's data, and a fragment of
// those before if it is time.
func (w *Writer) add(t *track, pts time.Duration, size int, flags uint32, cut bool) error {
	if size == 0 {
		return nil
	}
	at := t.ticks(pts - w.zero)
	t.end(at)
	if cut || w.full() {
		if err := w.flush(); err != nil {
			return err
		}
	}
	t.begin(at, size, flags)
	return nil
}

// units appends the NAL units that belong into a sample, each behind its length.
func (w *Writer) units(annexB []byte) error {
	for nal, rest := avc.Next(annexB); nal != nil; nal, rest = avc.Next(rest) {
		switch avc.TypeOf(nal) {
		case avc.AUD, avc.Filler:
			continue
		case avc.SPSType, avc.PPSType:
			if err := w.sameFormat(nal); err != nil {
				return err
			}
			// Players take parameter sets from a sample too. Once they did, the
			// header's no longer hold by themselves.
			w.otherSets = w.otherSets || !w.tracks.Video.holds(nal)
			if !w.otherSets {
				continue
			}
		}
		w.video.data = binary.BigEndian.AppendUint32(w.video.data, uint32(len(nal)))
		w.video.data = append(w.video.data, nal...)
	}
	return nil
}

// holds reports whether a parameter set is in the header.
func (t *VideoTrack) holds(set []byte) bool {
	return bytes.Equal(set, t.SPS) || slices.ContainsFunc(t.PPS, func(pps []byte) bool { return bytes.Equal(set, pps) })
}

// sameFormat refuses an SPS of another size or profile. One that differs otherwise
// is no change: some encoders give their parameter sets a new id with every IDR, and a
// new level with another bitrate.
func (w *Writer) sameFormat(nal []byte) error {
	if avc.TypeOf(nal) != avc.SPSType || bytes.Equal(nal, w.tracks.Video.SPS) {
		return nil
	}
	old, _ := avc.ParseSPS(w.tracks.Video.SPS) // if it can't be read, the sizes differ
	now, err := avc.ParseSPS(nal)
	if err != nil || now.Width != old.Width || now.Height != old.Height || nal[1] != w.tracks.Video.SPS[1] {
		return fmt.Errorf("write video: %w: another SPS", ErrChanged)
	}
	return nil
}

// WriteAudio takes an Opus packet, in the order of PTS. In a file with video, what
// comes before the first keyframe is left out.
func (w *Writer) WriteAudio(packet []byte, pts time.Duration) error {
	switch {
	case w.tracks.Audio == nil:
		return errors.New("write audio: the file has no audio track")
	case w.begun && pts < w.zero, !w.begun && w.tracks.Video != nil, len(packet) == 0:
		return nil
	case !w.begun:
		w.begun, w.zero = true, pts
	}
	w.audio.data = append(w.audio.data, packet...)
	return w.add(&w.audio, pts, len(packet), flagsSync, false)
}

// full reports whether the fragment must end without a keyframe.
func (w *Writer) full() bool {
	long := func(t *track) bool {
		return len(t.samples) > 0 && t.last-t.start >= t.ticks(fragmentTime)
	}
	return long(&w.video) || long(&w.audio) || len(w.video.data)+len(w.audio.data) >= fragmentBytes
}

// Close writes what is left. It doesn't close the underlying writer.
func (w *Writer) Close() error {
	for _, t := range []*track{&w.video, &w.audio} {
		t.end(t.last + int64(t.usual))
	}
	return w.flush()
}

// flush writes every sample that has ended as one fragment: moof, then mdat with
// the video samples before the audio samples.
func (w *Writer) flush() error {
	var data [][]byte
	total := 0
	for _, t := range w.present() {
		_, _, size := t.ready()
		data, total = append(data, t.data[:size]), total+size
	}
	if total == 0 {
		return nil
	}
	w.sequence++
	w.moof()
	w.head.u32(uint32(8 + total))
	w.head.text("mdat")
	for _, part := range append([][]byte{w.head}, data...) {
		if _, err := w.w.Write(part); err != nil {
			return fmt.Errorf("write MP4 fragment: %w", err)
		}
	}
	w.video.drop()
	w.audio.drop()
	return nil
}

// moof writes the fragment's header into w.head.
func (w *Writer) moof() {
	b := &w.head
	*b = (*b)[:0]
	var offsets []int // where each run states how far from the moof its data lies
	b.box("moof", func() {
		b.full("mfhd", 0, 0, func() { b.u32(w.sequence) })
		for _, t := range w.present() {
			n, _, _ := t.ready()
			offsets = append(offsets, b.traf(t, n))
		}
	})
	data := len(*b) + 8 // behind the header of mdat
	for i, t := range w.present() {
		_, _, size := t.ready()
		binary.BigEndian.PutUint32((*b)[offsets[i]:], uint32(data))
		data += size
	}
}

// present lists the tracks that the fragment has samples of.
func (w *Writer) present() (l []*track) {
	for _, t := range []*track{&w.video, &w.audio} {
		if n, _, _ := t.ready(); n > 0 {
			l = append(l, t)
		}
	}
	return l
}

// Flags of a track fragment (ISO/IEC 14496-12 clauses 8.8.7 and 8.8.8).
const (
	defaultBaseIsMoof = 0x20000
	runDataOffset     = 0x001
	runDuration       = 0x100
	runSize           = 0x200
	runFlags          = 0x400
)

// traf describes the first n samples and returns where their data offset stands.
func (b *boxes) traf(t *track, n int) (offset int) {
	b.box("traf", func() {
		b.full("tfhd", 0, defaultBaseIsMoof, func() { b.u32(t.id) })
		b.full("tfdt", 1, 0, func() { b.u64(uint64(t.start)) })
		b.full("trun", 0, runDataOffset|runDuration|runSize|runFlags, func() {
			b.u32(uint32(n))
			offset = len(*b)
			b.u32(0)
			for _, s := range t.samples[:n] {
				b.u32(s.duration)
				b.u32(s.size)
				b.u32(s.flags)
			}
		})
	})
	return offset
}
