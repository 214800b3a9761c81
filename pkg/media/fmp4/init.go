package fmp4

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/camd-project/camd/pkg/media/avc"
)

func (t Tracks) check() error {
	if t.Video == nil && t.Audio == nil {
		return errors.New("a file needs a track")
	}
	if v := t.Video; v != nil {
		switch {
		case avc.TypeOf(v.SPS) != avc.SPSType || len(v.SPS) < 4 || len(v.SPS) > math.MaxUint16:
			return errors.New("the video track needs an SPS")
		case len(v.PPS) == 0 || len(v.PPS) > math.MaxUint8 || slices.ContainsFunc(v.PPS, noPPS):
			return errors.New("the video track needs a PPS")
		case v.Width < 1 || v.Height < 1 || v.Width > math.MaxUint16 || v.Height > math.MaxUint16:
			return fmt.Errorf("a picture of %dx%d cannot be described", v.Width, v.Height)
		case v.SPS[1] > profileHigh:
			return fmt.Errorf("H.264 profile %d is not one of Baseline, Main, Extended and High", v.SPS[1])
		}
	}
	if a := t.Audio; a != nil && (a.Channels < 1 || a.Channels > 2 || a.PreSkip < 0 || a.PreSkip > math.MaxUint16) {
		return fmt.Errorf("%d audio channels with a pre-skip of %d cannot be described", a.Channels, a.PreSkip)
	}
	return nil
}

func noPPS(nal []byte) bool { return avc.TypeOf(nal) != avc.PPSType || len(nal) > math.MaxUint16 }

// profileHigh is profile_idc of High: always 8 bit, 4:2:0.
const profileHigh = 100

// header makes the initialisation segment: what a player must know before the
// first fragment.
func header(t Tracks) []byte {
	var b boxes
	b.box("ftyp", func() {
		b.text("iso6") // tfdt, default-base-is-moof
		b.u32(0)
		b.text("iso5iso6avc1mp41")
	})
	b.box("moov", func() {
		b.full("mvhd", 0, 0, func() {
			b.zero(8)      // creation and modification, seconds since 1904: unknown
			b.u32(1000)    // timescale
			b.u32(0)       // duration: it lies in the fragments
			b.u32(1 << 16) // rate 1.0
			b.u16(1 << 8)
			b.zero(10)
			b.matrix()
			b.zero(24)
			b.u32(audioID + 1) // next track
		})
		if t.Video != nil {
			b.track(videoID, videoScale, "vide", 0, t.Video.Width, t.Video.Height, func() { b.avc1(t.Video) })
		}
		if t.Audio != nil {
			b.track(audioID, audioScale, "soun", t.Audio.PreSkip, 0, 0, func() { b.opus(t.Audio) })
		}
		b.box("mvex", func() {
			if t.Video != nil {
				b.trex(videoID, 0)
			}
			if t.Audio != nil {
				b.trex(audioID, flagsSync)
			}
		})
	})
	return b
}

// matrix leaves the picture upright.
func (b *boxes) matrix() {
	for _, v := range []uint32{1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30} {
		b.u32(v)
	}
}

func (b *boxes) track(id, scale uint32, handler string, skip, width, height int, entry func()) {
	b.box("trak", func() {
		b.full("tkhd", 0, 3, func() { // enabled, in the movie
			b.zero(8)
			b.u32(id)
			b.zero(4 + 4 + 8 + 2 + 2) // duration 0: in the fragments
			b.u16(uint16(map[string]int{"soun": 1 << 8}[handler]))
			b.zero(2)
			b.matrix()
			b.u32(uint32(width) << 16)
			b.u32(uint32(height) << 16)
		})
		if skip > 0 {
			b.skip(skip)
		}
		b.box("mdia", func() {
			b.full("mdhd", 0, 0, func() {
				b.zero(8)
				b.u32(scale)
				b.u32(0)
				b.u16(0x55c4) // language: undetermined
				b.zero(2)
			})
			b.full("hdlr", 0, 0, func() {
				b.zero(4)
				b.text(handler)
				b.zero(12)
				b.text("camd\x00")
			})
			b.media(handler, entry)
		})
	})
}

// skip has players begin behind the encoder's delay: an edit over the whole track.
func (b *boxes) skip(samples int) {
	b.box("edts", func() {
		b.full("elst", 0, 0, func() {
			b.u32(1)
			b.u32(0) // segment_duration: all fragments
			b.u32(uint32(samples))
			b.u32(1 << 16)
		})
	})
}

// media adds the sample description; the sample tables are empty, since the samples
// lie in the fragments.
func (b *boxes) media(handler string, entry func()) {
	b.box("minf", func() {
		if handler == "vide" {
			b.full("vmhd", 0, 1, func() { b.zero(8) })
		} else {
			b.full("smhd", 0, 0, func() { b.zero(4) })
		}
		b.box("dinf", func() {
			b.full("dref", 0, 0, func() {
				b.u32(1)
				b.full("url ", 0, 1, func() {}) // in this file
			})
		})
		b.box("stbl", func() {
			b.full("stsd", 0, 0, func() { b.u32(1); entry() })
			b.full("stts", 0, 0, func() { b.u32(0) })
			b.full("stsc", 0, 0, func() { b.u32(0) })
			b.full("stsz", 0, 0, func() { b.zero(8) })
			b.full("stco", 0, 0, func() { b.u32(0) })
		})
	})
}

// avc1 is an AVCSampleEntry (ISO/IEC 14496-15 clause 5.4.2) with its avcC.
func (b *boxes) avc1(v *VideoTrack) {
	b.box("avc1", func() {
		b.zero(6)
		b.u16(1) // data reference
		b.zero(16)
		b.u16(uint16(v.Width))
		b.u16(uint16(v.Height))
		b.u32(72 << 16)
		b.u32(72 << 16)
		b.zero(4)
		b.u16(1)   // frame per sample
		b.zero(32) // compressor's name
		b.u16(24)  // depth
		b.u16(0xffff)
		b.box("avcC", func() {
			b.u8(1, v.SPS[1], v.SPS[2], v.SPS[3], 0xfc|3) // lengths take four bytes
			b.u8(0xe0 | 1)
			b.u16(uint16(len(v.SPS)))
			b.u8(v.SPS...)
			b.u8(byte(len(v.PPS)))
			for _, pps := range v.PPS {
				b.u16(uint16(len(pps)))
				b.u8(pps...)
			}
			if v.SPS[1] == profileHigh {
				b.u8(0xfc|1, 0xf8, 0xf8, 0) // 4:2:0, 8 bit, no SPS extension
			}
		})
	})
}

// opus is an OpusSampleEntry with its dOps.
func (b *boxes) opus(a *AudioTrack) {
	b.box("Opus", func() {
		b.zero(6)
		b.u16(1) // data reference
		b.zero(8)
		b.u16(uint16(a.Channels))
		b.u16(16)
		b.zero(4)
		b.u32(audioScale << 16)
		b.box("dOps", func() {
			b.u8(0, byte(a.Channels))
			b.u16(uint16(a.PreSkip))
			b.u32(audioScale)
			b.u16(0) // gain
			b.u8(0)  // mono or stereo
		})
	})
}

// trex sets the defaults of a track's fragments.
func (b *boxes) trex(id, flags uint32) {
	b.full("trex", 0, 0, func() {
		b.u32(id)
		b.u32(1) // sample description
		b.zero(8)
		b.u32(flags)
	})
}
