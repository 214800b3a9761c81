package h264

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// ramp is smooth, so that JPEG keeps it nearly as it is.
func ramp(ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, 64, 48), ratio)
	for y := range 48 {
		for x := range 64 {
			m.Y[m.YOffset(x, y)] = byte(20 + 3*x)
			m.Cb[m.COffset(x, y)] = byte(90 + y)
			m.Cr[m.COffset(x, y)] = byte(160 - x)
		}
	}
	return m
}

func encodeJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withoutTables cuts the Huffman tables out, as many cameras send it.
func withoutTables(b []byte) []byte {
	for {
		at := bytes.Index(b, []byte{0xff, markerDHT})
		if at < 0 {
			return b
		}
		b = slices.Concat(b[:at], b[at+2+int(b[at+2])<<8+int(b[at+3]):])
	}
}

func TestConvertJPEG(t *testing.T) {
	m := ramp(image.YCbCrSubsampleRatio420)
	whole := encodeJPEG(t, m)
	for name, data := range map[string][]byte{"with tables": whole, "without tables": withoutTables(whole)} {
		for flips := range 4 {
			s := Source{MJPEG, 64, 48, 0, flips&1 != 0, flips&2 != 0}
			c, err := NewConverter(s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Convert(data)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i := range 64 * 48 {
				x, y := i%64, i/64
				g, w := sample(got, x, y, s), sample(m, x, y, Source{})
				w[0], w[1], w[2] = lumaRange[w[0]], chromaRange[w[1]], chromaRange[w[2]]
				for k := range g {
					if d := int(g[k]) - int(w[k]); d < -6 || d > 6 {
						t.Fatalf("%s, %+v: sample %d,%d is %v, want about %v", name, s, x, y, g, w)
					}
				}
			}
		}
	}
}

func TestConvertTakesEverySubsampling(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio440,
		image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		m := ramp(ratio)
		c, err := NewConverter(Source{Layout: MJPEG, Width: 64, Height: 48})
		if err != nil {
			t.Fatal(err)
		}
		c.fromYCbCr(m)
		for i := range 64 * 48 {
			x, y := i%64, i/64
			w := sample(m, x&^1, y&^1, Source{})
			g := sample(c.out, x, y, Source{})
			if d := int(g[1]) - int(chromaRange[w[1]]); d < -1 || d > 1 {
				t.Fatalf("%v: Cb at %d,%d is %d, want about %d", ratio, x, y, g[1], chromaRange[w[1]])
			}
		}
	}
}

func TestConvertRefusesBadJPEG(t *testing.T) {
	good := encodeJPEG(t, ramp(image.YCbCrSubsampleRatio420))
	arithmetic := bytes.Replace(good, []byte{0xff, 0xc0}, []byte{0xff, 0xc9}, 1)
	huge := bytes.Clone(good)
	copy(huge[bytes.Index(huge, []byte{0xff, 0xc0})+5:], []byte{0xff, 0xff, 0xff, 0xff})
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":           {nil, ErrDamaged},
		"no JPEG":           {[]byte("hello, world"), ErrDamaged},
		"starts only":       {bytes.Repeat([]byte{0xff, 0xd8}, 9), ErrDamaged},
		"cut":               {good[:len(good)/2], ErrDamaged},
		"cut in the header": {good[:200], ErrDamaged},
		"too small":         {encodeJPEG(t, pattern(14, 18)), ErrSize},
		"too large":         {huge, ErrSize},
		"arithmetic coding": {arithmetic, ErrKind},
	} {
		conv, err := NewConverter(Source{Layout: MJPEG, Width: 64, Height: 48})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conv.Convert(c.data); !errors.Is(err, ErrDamaged) || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if m, err := conv.Convert(good); err != nil || m.Rect.Size() != image.Pt(64, 48) {
			t.Errorf("%s: the good one after it: %v, %v", name, m.Rect, err)
		}
	}
}

// Each is what some camera sends.
func oddities(whole []byte) map[string][]byte {
	body := whole[:len(whole)-2]
	twice := []byte{0xff, 0xd8}
	return map[string][]byte{
		"whole":                  whole,
		"no tables":              withoutTables(whole),
		"no end":                 body,
		"half an end":            whole[:len(whole)-1],
		"no end, padded":         slices.Concat(body, make([]byte, 100)),
		"no tables, no end":      withoutTables(body),
		"zeros before":           slices.Concat(make([]byte, 37), whole),
		"rubbish before":         slices.Concat([]byte("\xff\xd8 \xff\xff\xd8\x00"), whole),
		"two starts":             slices.Concat(twice, whole),
		"no tables, but padding": bytes.Replace(withoutTables(whole), []byte{0xff, 0xdb}, []byte{0, 0, 0, 0xff, 0xdb}, 1),
		"rubbish behind":         slices.Concat(whole, []byte("\xff\xd8rubbish")),
	}
}

// progressive.jpg, restart2.jpg and rgb.jpg are Go's own, of image/testdata.

// TestConvertJPEGAsFFmpegDoes compares the pixels of what cameras send with those of
// ffmpeg, which is given the whole JPEG where it has one.
func TestConvertJPEGAsFFmpegDoes(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs ffmpeg: ", err)
	}
	clips := map[string][]byte{}
	for _, name := range []string{"grey", "noend", "progressive", "restart2"} {
		if clips[name], err = os.ReadFile("testdata/" + name + ".jpg"); err != nil {
			t.Fatal(err)
		}
	}
	for _, format := range []string{"yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p", "yuvj411p"} {
		for _, size := range []string{"320x180", "175x99"} {
			clips[format+" "+size] = run(t, nil, ffmpeg, "-f", "lavfi", "-i", "testsrc2=size="+size, "-vf", "gblur=4", "-frames:v", "1",
				"-c:v", "mjpeg", "-huffman", "default", "-q:v", "2", "-pix_fmt", format, "-strict", "-1", "-f", "mjpeg", "pipe:")
		}
	}
	for name, whole := range clips {
		want := run(t, whole, ffmpeg, "-f", "mjpeg", "-i", "pipe:", "-vf", "scale=out_range=tv:flags=accurate_rnd+full_chroma_inp+bilinear", "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:")
		if name == "noend" {
			whole = append(whole, endOfImage...)
		}
		for odd, data := range oddities(whole) {
			if strings.HasPrefix(odd, "no tables") && !strings.HasPrefix(name, "yuvj") {
				continue // its tables are not the standard ones
			}
			t.Run(name+", "+odd, func(t *testing.T) { comparePixels(t, data, want) })
		}
	}
}

// ffmpeg takes this one, whose components are red, green and blue, for YCbCr.
func TestConvertJPEGInRGB(t *testing.T) {
	data, err := os.ReadFile("testdata/rgb.jpg")
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewConverter(Source{Layout: MJPEG, Width: 64, Height: 48})
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Convert(data)
	if err != nil {
		t.Fatal(err)
	}
	y, cb, cr := color.RGBToYCbCr(124, 13, 0)
	want := [3]byte{lumaRange[y], chromaRange[cb], chromaRange[cr]}
	got := sample(m, 0, 0, Source{})
	for i := range got {
		if d := int(got[i]) - int(want[i]); d < -1 || d > 1 {
			t.Errorf("the first pixel is %v, want %v", got, want)
		}
	}
}

func comparePixels(t *testing.T, data, want []byte) {
	c, err := NewConverter(Source{Layout: MJPEG, Width: 1280, Height: 720}) // as a driver says that is wrong
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Convert(data)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(data[max(startOfImage(data), 0):]))
	if err != nil {
		t.Fatal(err)
	}
	wide, w, h := cfg.Width, m.Rect.Dx(), m.Rect.Dy()
	if w != wide&^1 || h != cfg.Height&^1 {
		t.Fatalf("%dx%d of a JPEG of %dx%d", w, h, wide, cfg.Height)
	}
	half, luma := even(wide)/2, wide*cfg.Height
	for name, p := range map[string]struct {
		got, want                []byte
		stride, wantStride, w, h int
	}{
		"Y":  {m.Y, want, m.YStride, wide, w, h},
		"Cb": {m.Cb, want[luma:], m.CStride, half, w / 2, h / 2},
		"Cr": {m.Cr, want[luma+half*(even(cfg.Height)/2):], m.CStride, half, w / 2, h / 2},
	} {
		sum := 0
		for y := range p.h {
			for x := range p.w {
				d := int(p.got[y*p.stride+x]) - int(p.want[y*p.wantStride+x])
				sum += max(d, -d)
			}
		}
		if mean := float64(sum) / float64(p.w*p.h); mean > 2 {
			t.Errorf("%s differs from ffmpeg's by %.2f in the mean", name, mean)
		}
	}
}

func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, append([]string{"-v", "error"}, args...)...) //nolint:gosec // a program from PATH
	cmd.Stdin = bytes.NewReader(stdin)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil || len(out) == 0 {
		t.Fatalf("%s %v: %v, %d bytes\n%s", name, args, err, len(out), &problems)
	}
	return out
}

func FuzzConvert(f *testing.F) {
	good := encodeJPEG(f, ramp(image.YCbCrSubsampleRatio420))
	for _, data := range oddities(good) {
		f.Add(data, uint8(MJPEG), uint8(0))
	}
	f.Add(withoutTables(good), uint8(MJPEG), uint8(3))
	f.Add(make([]byte, 64*48*2), uint8(YUYV), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, layout, flips uint8) {
		c, err := NewConverter(Source{Layout(layout), 64, 48, 0, flips&1 != 0, flips&2 != 0})
		if err != nil {
			return
		}
		m, err := c.Convert(data)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%v, want %v", err, ErrDamaged)
		}
		if err != nil {
			return
		}
		w, h := c.Size()
		if m.Rect != image.Rect(0, 0, w, h) || (w != 64 || h != 48) && layout != uint8(MJPEG) || len(m.Y) < (h-1)*m.YStride+w || len(m.Cb) < (h/2-1)*m.CStride+w/2 {
			t.Errorf("converted into %v", m.Rect)
		}
	})
}
