// Package fmp4 writes H.264 and Opus as fragmented MP4 (ISO/IEC 14496-12 and -15,
// and "Encapsulation of Opus in ISO Base Media File Format"), which browsers and
// ffmpeg play while it still grows or after a cut.
//
// A Writer owns nothing but its buffers: it holds at most one fragment, which
// begins at a keyframe unless those are further apart than fragmentTime or
// fragmentBytes allow. NAL units go into the file as they came and in their order;
// only access unit delimiters, filler and the parameter sets that the header
// already holds are left out. It refuses B-frames' order (presentation is decoding
// order), a change of size or profile, and profiles beyond High. Close writes the rest and
// leaves the underlying writer open.
package fmp4

import (
	"errors"
	"time"
)

// VideoTrack describes the H.264 track by its parameter sets, NAL units without
// start code, and its size after cropping.
type VideoTrack struct {
	SPS           []byte
	PPS           [][]byte
	Width, Height int
}

// AudioTrack describes the Opus track. PreSkip is the encoder's delay in samples at
// 48 kHz (RFC 7845 section 4.2), 312 for libopus; players begin behind it.
type AudioTrack struct {
	Channels, PreSkip int
}

// Tracks says what a file holds; one of them may be nil.
type Tracks struct {
	Video *VideoTrack
	Audio *AudioTrack
}

// ErrChanged says that the encoding changed, for example its size: that needs another file.
var ErrChanged = errors.New("the encoding changed")

// Timescales, in units per second.
const (
	videoScale = 90000
	audioScale = 48000
)

// Bounds of a fragment.
const (
	fragmentTime  = 5 * time.Second
	fragmentBytes = 4 << 20
)

// Track IDs.
const (
	videoID = 1
	audioID = 2
)
