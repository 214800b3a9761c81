// Package lenstest makes pictures of codes as a camera in a home takes them: of a
// phone that somebody holds, tilted, out of focus, in little light, with the noise of
// a cheap sensor. It is for tests.
package lenstest

import (
	"image"
	"math"
	"math/rand/v2"

	"rsc.io/qr"
)

// quietZone is the margin, in modules, that ISO/IEC 18004 asks for.
const quietZone = 4

// Shot says how a picture of a code is taken. The zero values are the ideal.
type Shot struct {
	Width, Height int     // of the picture
	Screen        int     // how wide the phone's screen is in it, pixels; the code with its margin fills it
	Turn          float64 // by how many degrees it is turned in its plane
	Tilt          float64 // and about its upright axis, away from the camera
	Nod           float64 // and about its level axis
	Blur          float64 // standard deviation of the lens's blur, pixels
	Black, White  float64 // luma of the screen's dark and light; 16 and 235 where both are 0
	Wall          float64 // luma around it; 90 where 0
	Noise         float64 // standard deviation of the sensor's noise, luma
	Shade         float64 // by how much of its light the picture falls off from left to right, 0 to 1
	Seed          uint64
	Invert        bool // light on dark, as terminals show it
	Mirror        bool
}

// Take draws text as a QR code of level M and takes a picture of it.
func (s Shot) Take(text string) (*image.Gray, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, err
	}
	return s.Of(code), nil
}

// Of takes a picture of a code.
func (s Shot) Of(code *qr.Code) *image.Gray {
	if s.Black == 0 && s.White == 0 {
		s.Black, s.White = 16, 235
	}
	if s.Wall == 0 {
		s.Wall = 90
	}
	light := s.project(code)
	for range 2 {
		light = blurred(light, s.Width, s.Height, s.Blur/math.Sqrt2)
	}
	random := rand.New(rand.NewPCG(s.Seed, 1))
	out := image.NewGray(image.Rect(0, 0, s.Width, s.Height))
	for i, v := range light {
		x := float64(i%s.Width) / float64(s.Width)
		v = v*(1-s.Shade*x) + s.Noise*random.NormFloat64()
		out.Pix[i] = byte(min(max(math.Round(v), 0), 255))
	}
	return out
}

// samples is how many a pixel is the mean of, in each direction.
const samples = 3

func (s Shot) project(code *qr.Code) []float64 {
	out := make([]float64, s.Width*s.Height)
	for i := range out {
		x, y := float64(i%s.Width)-float64(s.Width)/2, float64(i/s.Width)-float64(s.Height)/2
		if math.Hypot(x, y) > float64(s.Screen) { // its corners are nearer
			out[i] = s.Wall
			continue
		}
		for k := range samples * samples {
			out[i] += s.light(code, x+(float64(k%samples)+0.5)/samples, y+(float64(k/samples)+0.5)/samples)
		}
		out[i] /= samples * samples
	}
	return out
}

// light returns what comes from a point of the picture, whose middle is 0, 0.
func (s Shot) light(code *qr.Code, x, y float64) float64 {
	u, v, ok := s.plane(x, y)
	if s.Mirror {
		u = -u
	}
	half := float64(s.Screen) / 2
	if !ok || max(math.Abs(u), math.Abs(v)) > half*1.08 {
		return s.Wall
	}
	if max(math.Abs(u), math.Abs(v)) > half { // the phone's frame
		return s.Black
	}
	modules := float64(code.Size + 2*quietZone)
	black := code.Black(int(math.Floor((u+half)/(2*half)*modules))-quietZone, int(math.Floor((v+half)/(2*half)*modules))-quietZone)
	if black != s.Invert {
		return s.Black
	}
	return s.White
}

// plane returns where the ray of a point of the picture meets the screen, which is turned,
// tilted and nodded about its middle, as far away as three times its width.
func (s Shot) plane(x, y float64) (u, v float64, ok bool) {
	far := 3 * float64(s.Screen)
	sinT, cosT := math.Sincos(s.Tilt * math.Pi / 180)
	sinN, cosN := math.Sincos(s.Nod * math.Pi / 180)
	// The screen's axes in the camera's room, before the turn in its own plane.
	a := [3]float64{cosT, 0, sinT}
	b := [3]float64{sinT * sinN, cosN, -cosT * sinN}
	n := [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
	ray := [3]float64{x, y, far}
	along := n[0]*ray[0] + n[1]*ray[1] + n[2]*ray[2]
	if math.Abs(along) < 1e-9 {
		return 0, 0, false
	}
	t := n[2] * far / along
	if t <= 0 {
		return 0, 0, false
	}
	p := [3]float64{t * ray[0], t * ray[1], t*ray[2] - far}
	u = p[0]*a[0] + p[1]*a[1] + p[2]*a[2]
	v = p[0]*b[0] + p[1]*b[1] + p[2]*b[2]
	sin, cos := math.Sincos(s.Turn * math.Pi / 180)
	return u*cos + v*sin, v*cos - u*sin, true
}

// blurred returns a Gaussian blur, one direction after the other.
func blurred(in []float64, width, height int, sigma float64) []float64 {
	if sigma <= 0 {
		return in
	}
	r := int(math.Ceil(3 * sigma))
	kernel := make([]float64, 2*r+1)
	var sum float64
	for i := range kernel {
		kernel[i] = math.Exp(-float64((i-r)*(i-r)) / (2 * sigma * sigma))
		sum += kernel[i]
	}
	pass := func(in []float64, n, step, lines, next int) []float64 {
		out := make([]float64, len(in))
		for l := range lines {
			for i := range n {
				var v float64
				for k, w := range kernel {
					v += w * in[l*next+min(max(i+k-r, 0), n-1)*step]
				}
				out[l*next+i*step] = v / sum
			}
		}
		return out
	}
	return pass(pass(in, width, 1, height, width), height, width, width, 1)
}
