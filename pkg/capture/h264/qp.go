package h264

// finestQP returns the lowest quantizer that an encoder may use (ITU-T H.264 section 8.5; a
// step of 6 halves the precision). Without a bound, openh264 spends its bitrate on the noise
// of a still scene, and then raises the quantizer by 3 to 5 a picture: the first picture of
// another scene has up to 21 times the bits of a mean one, and key frames of a noisy scene 11
// times. With few bits for each pixel that takes a second of what the path carries.
func finestQP(cfg Config) int {
	switch bits := float64(cfg.Bitrate) / cfg.Rate / float64(cfg.Width*cfg.Height); {
	case bits < 0.1:
		return 28
	case bits < 0.2:
		return 24
	default:
		return 12 // openh264's own
	}
}
