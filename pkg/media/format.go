package media

// VideoFormat describes the encoding that a camera gives now.
type VideoFormat struct {
	Width, Height  int     // luma samples, after cropping
	Rate           float64 // frames per second, as the driver really set it
	ProfileLevelID string  // six hex digits of the SPS (RFC 6184 section 8.1)
	CanForceIDR    bool    // the encoder makes an IDR when asked
}
