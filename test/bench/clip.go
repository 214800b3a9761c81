package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/camd-project/camd/pkg/capture/strip"
)

// What the clip is. It is 10 MB of H.264: noise over a moving pattern, so that
// pictures differ and packets are full. Along the top edge each has its number
// (pkg/capture/strip).
const (
	clipSeconds = 20
	clipRate    = 30 // frames per second
	clipGOP     = 60 // frames from one IDR to the next
	clipKbps    = 4000
	clipWidth   = 1920

	stripWidth = 128 // of the numbers before they are scaled to the clip's width
)

// clip makes the H.264 file once and returns its path.
func clip(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("clip-1080p%d-%dk-gop%d-numbered.h264", clipRate, clipKbps, clipGOP))
	if info, err := os.Stat(path); err == nil {
		return path, checkRate(info.Size())
	}
	fmt.Fprintln(os.Stderr, "== making the clip (once)")
	part := path + ".part"
	rate, gop, bits := fmt.Sprint(clipRate), fmt.Sprint(clipGOP), fmt.Sprintf("%dk", clipKbps)
	cmd := exec.CommandContext(ctx, "ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", //nolint:gosec // constants
		"-i", "testsrc2=size=1920x1080:rate="+rate+",noise=alls=12:allf=t",
		"-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", fmt.Sprintf("%dx%d", stripWidth, strip.Height(stripWidth)), "-r", rate, "-i", "-",
		"-filter_complex", fmt.Sprintf("[1]scale=%d:%d:flags=neighbor[numbers];[0][numbers]overlay", clipWidth, strip.Height(clipWidth)),
		"-t", fmt.Sprint(clipSeconds),
		"-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast", "-pix_fmt", "yuv420p",
		"-b:v", bits, "-minrate", bits, "-maxrate", bits, "-bufsize", bits, "-g", gop, "-keyint_min", gop, "-sc_threshold", "0",
		"-x264-params", "repeat-headers=1:slices=1:sliced-threads=0", "-f", "h264", part)
	cmd.Stdin = numbers()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make the clip by ffmpeg: %w\n%s", err, out)
	}
	info, err := os.Stat(part)
	if err != nil {
		return "", err
	}
	if err := checkRate(info.Size()); err != nil {
		return "", err
	}
	return path, os.Rename(part, path)
}

// numbers returns the strips of all the clip's pictures.
func numbers() *bytes.Buffer {
	var b bytes.Buffer
	m := image.NewYCbCr(image.Rect(0, 0, stripWidth, strip.Height(stripWidth)), image.YCbCrSubsampleRatio420)
	for n := range clipSeconds * clipRate {
		strip.Write(m, uint32(n)) //nolint:gosec // some hundreds
		for _, plane := range [][]byte{m.Y, m.Cb, m.Cr} {
			b.Write(plane)
		}
	}
	return &b
}

// checkRate sees that the file has the bitrate that the figures are stated for.
func checkRate(bytes int64) error {
	kbps := bytes * 8 / 1000 / clipSeconds
	if kbps < clipKbps*9/10 || kbps > clipKbps*11/10 {
		return fmt.Errorf("the clip has %d kbit/s instead of about %d", kbps, clipKbps)
	}
	return nil
}
