package fmp4

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/pkg/media/fmp4/fmp4test"
)

// run starts a program of ffmpeg's and returns what it writes; it must not complain.
func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (apt-get install ffmpeg): nothing else here reads MP4", name)
	}
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, append([]string{"-hide_banner", "-v", "warning"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &complaints)
	}
	return out.Bytes()
}

// silence is a CELT packet of 20 ms in mono, fullband.
var silence = []byte{0xf8, 0xff, 0xfe}

// record makes a file of 3 s: 45 pictures that x264 encoded, and 150 Opus packets.
func record(t *testing.T, profile string) (path string, units []avc.Unit) {
	t.Helper()
	stream := run(t, nil, "ffmpeg", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15:duration=3", "-pix_fmt", "yuv420p",
		"-c:v", "libx264", "-profile:v", profile, "-bf", "0", "-g", "15", "-x264-params", "aud=1:repeat-headers=1", "-f", "h264", "-")
	var f *os.File
	var w *Writer
	for u, rest := avc.NextUnit(stream); u.Data != nil; u, rest = avc.NextUnit(rest) {
		if w == nil {
			sps, pps := avc.SetsIn(u.Data).Of(u.Data)
			s, err := avc.ParseSPS(sps)
			if err != nil {
				t.Fatal(err)
			}
			if f, err = os.Create(filepath.Join(t.TempDir(), "out.mp4")); err != nil {
				t.Fatal(err)
			}
			w, err = NewWriter(f, Tracks{&VideoTrack{sps, pps, s.Width, s.Height}, &AudioTrack{1, 312}})
			if err != nil {
				t.Fatal(err)
			}
		}
		n := len(units)
		at := time.Hour + time.Duration(n)*time.Second/15
		if err := w.WriteVideo(u.Data, at, u.Key); err != nil {
			t.Fatal(err)
		}
		for i := n * 150 / 45; i < (n+1)*150/45; i++ {
			if err := w.WriteAudio(silence, time.Hour+time.Duration(i)*20*ms); err != nil {
				t.Fatal(err)
			}
		}
		units = append(units, u)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name(), units
}

func TestFFprobeReadsIt(t *testing.T) {
	for _, profile := range []string{"baseline", "main", "high"} {
		t.Run(profile, func(t *testing.T) {
			path, units := record(t, profile)
			var got struct {
				Streams []struct {
					CodecName     string `json:"codec_name"`
					CodecTag      string `json:"codec_tag_string"`
					Width, Height int
					Rate          string `json:"sample_rate"`
					Channels      int
					Frames        string `json:"nb_read_frames"`
					Start         string `json:"start_time"`
				}
			}
			out := run(t, nil, "ffprobe", "-count_frames", "-show_streams", "-of", "json", path)
			if err := json.Unmarshal(out, &got); err != nil || len(got.Streams) != 2 {
				t.Fatalf("ffprobe found %s, %v", out, err)
			}
			v, a := got.Streams[0], got.Streams[1]
			if v.CodecName != "h264" || v.CodecTag != "avc1" || v.Width != 320 || v.Height != 240 || v.Frames != strconv.Itoa(len(units)) {
				t.Errorf("video is %+v, want %d frames of avc1, 320x240", v, len(units))
			}
			if a.CodecName != "opus" || a.CodecTag != "Opus" || a.Rate != "48000" || a.Channels != 1 || a.Frames != "150" {
				t.Errorf("audio is %+v, want 150 frames of Opus, 48000 Hz mono", a)
			}
			if v.Start != "0.000000" {
				t.Errorf("video starts at %s", v.Start)
			}
		})
	}
}

// TestFFmpegDecodesIt compares the pictures with those of the stream itself.
func TestFFmpegDecodesIt(t *testing.T) {
	path, units := record(t, "main")
	var stream []byte
	for _, u := range units {
		stream = append(stream, u.Data...)
	}
	pictures := func(stdin []byte, args ...string) []byte {
		return run(t, stdin, "ffmpeg", append(args, "-map", "0:v", "-fps_mode", "passthrough", "-f", "rawvideo", "-")...)
	}
	if got, want := pictures(nil, "-xerror", "-i", path), pictures(stream, "-f", "h264", "-i", "-"); !bytes.Equal(got, want) || len(got) == 0 {
		t.Errorf("the file decodes to %d bytes of pictures, the stream to other %d", len(got), len(want))
	}
	sound := run(t, nil, "ffmpeg", "-xerror", "-i", path, "-map", "0:a", "-f", "s16le", "-")
	if n := len(sound) / 2; n < 150*960-312-960 || n > 150*960 {
		t.Errorf("the sound decodes to %d samples, want about %d", n, 150*960-312)
	}
}

func TestFFmpegsOwnPacketsAgree(t *testing.T) {
	path, _ := record(t, "high")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	video, audio, err := fmp4test.Samples(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, s := range video {
		fmt.Fprintf(&want, "video,%.3f,%d,%v\n", s.PTS.Seconds(), len(s.Data), s.Key)
	}
	for _, s := range audio {
		fmt.Fprintf(&want, "audio,%.3f,%d,true\n", s.PTS.Seconds(), len(s.Data))
	}
	var got strings.Builder
	for _, stream := range []string{"v", "a"} {
		out := run(t, nil, "ffprobe", "-ignore_editlist", "1", "-select_streams", stream, "-show_entries", "packet=codec_type,pts_time,size,flags", "-of", "csv=p=0", path)
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimSpace(line), ",")
			if len(f) < 4 {
				continue
			}
			at, _ := strconv.ParseFloat(f[1], 64)
			fmt.Fprintf(&got, "%s,%.3f,%s,%v\n", f[0], at, f[2], strings.HasPrefix(f[3], "K"))
		}
	}
	if got.String() != want.String() {
		t.Errorf("ffprobe lists\n%s\nwant\n%s", &got, &want)
	}
}
