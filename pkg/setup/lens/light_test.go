package lens

import (
	"testing"

	"github.com/camd-project/camd/pkg/setup/lens/lenstest"
)

// Sizes at which a code is in the picture: a phone across the camera's picture by a
// third of it, and the same phone a little further away from a sharper camera.
var sizes = map[string]lenstest.Shot{
	"640x480, a third":  {Width: 640, Height: 480, Screen: 213},
	"1280x720, a third": {Width: 1280, Height: 720, Screen: 426},
	"1280x720, a sixth": {Width: 1280, Height: 720, Screen: 213},
}

// light is how it is taken. In a hallway at night the phone's screen is what gives
// light, its black is grey, and the sensor's noise is a large part of the rest.
var light = map[string]lenstest.Shot{
	"ideal":         {},
	"out of focus":  {Blur: 1.5, Noise: 3},
	"tilted":        {Tilt: 35, Nod: 15, Turn: 8, Blur: 0.7, Noise: 3},
	"turned":        {Turn: 45, Blur: 0.8, Noise: 3},
	"upside down":   {Turn: 180, Blur: 0.8, Noise: 3},
	"dim":           {Black: 24, White: 70, Wall: 30, Blur: 0.8, Noise: 5},
	"very dim":      {Black: 20, White: 52, Wall: 24, Blur: 0.8, Noise: 5},
	"noisy":         {Blur: 0.8, Noise: 20},
	"a hallway":     {Tilt: 20, Nod: 10, Turn: 5, Blur: 1, Black: 24, White: 90, Wall: 40, Noise: 6, Shade: 0.3},
	"too bright":    {Black: 120, White: 255, Wall: 60, Blur: 1, Noise: 3},
	"dark terminal": {Invert: true, Blur: 0.8, Noise: 3},
	"a mirror":      {Mirror: true, Blur: 0.8, Noise: 3},
}

// tries is how many pictures a part is in: it is shown for 400 ms at least, every other
// cycle, and pictures are 200 ms apart, so that these are a few cycles.
const tries = 8

// shown is a part of an ordinary code, the same in each run: what is in it decides, too, and
// one of forty is not read in a light that is as bad as some of these, until the hand moves.
const shown = "CAMDC1:ACNQ62J3S4UCQ2FI5EUWTKPKFJVKVZKTOBKNNKNAOEHGHN2555A6L7BIW2H2F5BVG2EZROFXDJC4NACHAMGMNQFIWEV74IR2CME6B5RVAV2W6BNG6C"

func TestCodesAreReadInTheLightOfAHallway(t *testing.T) {
	for where, size := range sizes {
		for name, shot := range light {
			shot.Width, shot.Height, shot.Screen = size.Width, size.Height, size.Screen
			t.Run(where+"/"+name, func(t *testing.T) {
				t.Parallel()
				var r Reader
				for i := range tries {
					shot.Seed = uint64(i)
					m, err := shot.Take(shown)
					if err != nil {
						t.Fatal(err)
					}
					switch got := r.Read(m); got {
					case shown:
						return
					case "":
					default:
						t.Fatalf("read as %q", got)
					}
				}
				t.Errorf("not read in %d pictures", tries)
			})
		}
	}
}

// TestCodesThatLookLikeTheirOwnMarks: the library reads none of these as they are held, in
// whatever light; each was one of some hundred.
func TestCodesThatLookLikeTheirOwnMarks(t *testing.T) {
	for _, text := range []string{
		"CAMDC1:AQPOCRG2ZHQCXWK7RQRLKHBWGOOIKNC5JFDKIP444I776NOU77RHRGBLIOAONYEB3M4TZLYRJ3JKDFGMNUDPORBVS6YNBC45BEOPO3333SOKURQ5XL",
		"CAMDC1:AQP7LGAJRGHSV2ETQWVLOSHSRSPQVUEKDJMPYPHWZC3GAF24RGA67R2ETK4CSVX2A43GU3KUALNP6EEKVRFCYD6XRKFXRBF6LZMC2YY5SVCXRPRMX7",
		"CAMDC1:AQB3WPHQS33IISOHOMJ3UY6YJTYSKA3E7RPOPNRHLPIOQPV4PU42KYSFP5L2RRZVLPWQARNQBYQTTEWZSUXGRMDAPOUHR3O4VVFVEQMVH7PFP4N2RE",
	} {
		m, err := lenstest.Shot{Width: 640, Height: 480, Screen: 480}.Take(text)
		if err != nil {
			t.Fatal(err)
		}
		var r Reader
		got := ""
		for i := 0; i < tries && got == ""; i++ {
			got = r.Read(m)
		}
		if got != text {
			t.Errorf("read as %q in %d pictures", got, tries)
		}
	}
}

// What is behind the limits: nothing is read rather than something else.
func TestWhatCantBeReadIsNothing(t *testing.T) {
	part := testCode(t).Parts()[0]
	for name, shot := range map[string]lenstest.Shot{
		"far away":   {Screen: 60},
		"no focus":   {Screen: 213, Blur: 5},
		"no light":   {Screen: 213, Black: 10, White: 14, Noise: 8},
		"from aside": {Screen: 213, Tilt: 80},
	} {
		shot.Width, shot.Height = 640, 480
		m, err := shot.Take(part)
		if err != nil {
			t.Fatal(err)
		}
		var r Reader
		for range tries {
			if got := r.Read(m); got != "" {
				t.Errorf("%s: read as %q", name, got)
			}
		}
	}
}

// FuzzRead: pictures that are none of a code, and almost one. Serve runs in a process
// of its own, so a panic is not the end of camd; that there is none here says how often
// that process has to be started again.
func FuzzRead(f *testing.F) {
	m, err := lenstest.Shot{Width: 64, Height: 64, Screen: 60}.Take("CAMDC1:AA")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Pix)
	f.Fuzz(func(t *testing.T, pixels []byte) {
		if len(pixels) < 64 {
			return
		}
		m := *m
		m.Pix = pixels[:len(pixels)/64*64]
		m.Rect.Max.Y = len(pixels) / 64
		var r Reader
		if text := r.Read(&m); len(text) > MaxText {
			t.Fatalf("%d bytes", len(text))
		}
	})
}
