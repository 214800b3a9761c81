package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/camd-project/camd/test/lab/usbcam"
)

// clipArgs make ten seconds of a moving picture like a camera's H.264: every frame
// differs, an IDR every two seconds, no B-frames, parameter sets before each IDR.
var clipArgs = []string{
	"-f", "lavfi", "-i", "testsrc2=size=" + strconv.Itoa(usbcam.Width) + "x" + strconv.Itoa(usbcam.Height) + ":rate=15",
	"-t", "10", "-c:v", "libx264", "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-tune", "zerolatency",
	"-g", "30", "-sc_threshold", "0", "-bf", "0", "-b:v", "800k", "-threads", "1",
	"-x264-params", "repeat-headers=1:aud=0:slices=1:sliced-threads=0", "-f", "h264",
}

// Clip gives what the USB camera plays: an Annex B stream, made by ffmpeg and kept
// in the folder cache.
func Clip(ctx context.Context, cache string) ([]byte, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	key := sha256.Sum256([]byte(strings.Join(clipArgs, "\n")))
	path := filepath.Join(cache, fmt.Sprintf("clip-%x.h264", key[:6]))
	if clip, err := os.ReadFile(path); err == nil {
		return clip, nil
	}
	tmp := path + ".tmp"
	args := append([]string{"-nostdin", "-loglevel", "error", "-y"}, clipArgs...)
	if _, err := output(ctx, cache, "ffmpeg", append(args, tmp)...); err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}
