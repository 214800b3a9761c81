package capture

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/camd-project/camd/pkg/media/avc"
)

// unitsOf cuts a clip into its access units.
func unitsOf(t *testing.T, path string) (l []avc.Unit) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for u, rest := avc.NextUnit(data); u.Data != nil; u, rest = avc.NextUnit(rest) {
		l = append(l, u)
	}
	return l
}

// decoded has ffmpeg decode H.264 without a complaint and returns its pictures' bytes.
func decoded(t *testing.T, units ...published) []byte {
	t.Helper()
	out, complaints := ffmpeg(t, "h264", joined(units))
	if complaints != "" {
		t.Errorf("ffmpeg: %s", complaints)
	}
	return out
}

// raw is decoded for what begins with references to pictures that are missing.
func raw(t *testing.T, units ...published) []byte {
	t.Helper()
	out, _ := ffmpeg(t, "h264", joined(units))
	return out
}

// joined joins access units.
func joined(units []published) (b []byte) {
	for _, u := range units {
		b = append(b, u.Data...)
	}
	return b
}

func ffmpeg(t *testing.T, format string, data []byte) (pictures []byte, complained string) {
	t.Helper()
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed (apt-get install ffmpeg): nothing else here decodes H.264")
	}
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, "-v", "warning", "-f", format, "-i", "pipe:", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-fps_mode", "passthrough", "pipe:")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, &complaints)
	}
	return out.Bytes(), complaints.String()
}

// TestADecoderMayBeginAtEveryKeyframe takes what cameras give whose sets come now and
// then: from each key frame on, ffmpeg shows the pictures that it shows from the first.
func TestADecoderMayBeginAtEveryKeyframe(t *testing.T) {
	for _, clip := range []string{"pps_once.h264", "flags.h264", "slices.h264"} {
		t.Run(clip, func(t *testing.T) {
			units := unitsOf(t, "testdata/"+clip)
			b, _ := pass(t, whole(units...)...)
			if len(b.got) != len(units) {
				t.Fatalf("%d pictures of %d were published", len(b.got), len(units))
			}
			all := decoded(t, b.got...)
			size := len(all) / len(b.got)
			keys := 0
			for i, u := range b.got {
				if !u.Key {
					continue
				}
				keys++
				if got := decoded(t, b.got[i:]...); !bytes.Equal(got, all[i*size:]) {
					t.Errorf("from picture %d on: %d bytes, want the %d of the whole clip", i, len(got), len(all[i*size:]))
				}
				if data, err := movie(u.Data); err != nil {
					t.Errorf("picture %d as MP4: %v", i, err)
				} else {
					playable(t, data, 64, 48)
				}
			}
			if keys < 2 {
				t.Errorf("%d key frames; a joiner's was not among them", keys)
			}
		})
	}
}

// sets cuts a clip's first unit into SPS, PPS and the rest.
func sets(t *testing.T, u avc.Unit) (sps, pps, rest []byte) {
	t.Helper()
	for nal, after := avc.Next(u.Data); nal != nil; nal, after = avc.Next(after) {
		whole := append(avc.StartCode[:], nal...)
		switch avc.TypeOf(nal) {
		case avc.SPSType:
			sps = whole
		case avc.PPSType:
			pps = whole
		case avc.Slice, avc.IDR:
			rest = append(rest, whole...)
		}
	}
	return sps, pps, rest
}

func TestSetsComeBeforeAKeyframeWhateverCameBetween(t *testing.T) {
	sps, pps, idr := sets(t, unitsOf(t, "testdata/pps_once.h264")[0])
	levelUp := bytes.Clone(sps)
	levelUp[7]++
	other := append(avc.StartCode[:], 0x68, 0x50, 0xe8) // PPS 1 of SPS 0
	join := func(l ...[]byte) picture { return picture{data: slices.Concat(l...)} }
	for name, c := range map[string]struct {
		pictures []picture
		want     []avc.NALType // of the last
	}{
		"a new SPS":             {[]picture{join(sps, pps, idr), join(levelUp, idr)}, []avc.NALType{7, 8, 7, 5}},
		"the same SPS":          {[]picture{join(sps, pps, idr), join(sps, idr)}, []avc.NALType{7, 8, 7, 5}},
		"a PPS alone":           {[]picture{join(sps, pps, idr), join(pps, idr)}, []avc.NALType{7, 8, 8, 5}},
		"nothing":               {[]picture{join(sps, pps, idr), join(idr)}, []avc.NALType{7, 8, 5}},
		"another PPS":           {[]picture{join(sps, pps, other, idr), join(sps, pps, idr)}, []avc.NALType{7, 8, 8, 7, 8, 5}},
		"all":                   {[]picture{join(sps, pps, idr), join(sps, pps, idr)}, []avc.NALType{7, 8, 5}},
		"PPS first":             {[]picture{join(pps), join(sps, idr), join(idr)}, []avc.NALType{7, 8, 5}},
		"an IDR without a PPS":  {[]picture{join(sps, idr), join(sps, pps, idr)}, []avc.NALType{7, 8, 5}},
		"a delimiter before it": {[]picture{join(sps, pps, idr), join([]byte{0, 0, 0, 1, 9, 0x10}, sps, idr)}, []avc.NALType{7, 8, 7, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := pass(t, c.pictures...)
			last := b.got[len(b.got)-1]
			if !last.Key || !slices.Equal(kinds(last), c.want) {
				t.Errorf("key %v, %v, want %v", last.Key, kinds(last), c.want)
			}
		})
	}
}
