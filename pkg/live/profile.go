package live

import "encoding/hex"

// profile is an H.264 profile as RFC 6184 table 5 tells them apart by profile_idc
// and constraint flags.
type profile int

const (
	unknownProfile profile = iota
	constrainedBaseline
	baseline
	main
	extended
	constrainedHigh
	high
)

// patterns are RFC 6184 table 5 (with Constrained High of H.264 clause A.2.4.2):
// the flags under mask must equal flags.
var patterns = []struct {
	idc, mask, flags byte
	profile          profile
}{
	{0x42, 0x4f, 0x40, constrainedBaseline}, // x1xx0000
	{0x4d, 0x8f, 0x80, constrainedBaseline}, // 1xxx0000
	{0x58, 0xcf, 0xc0, constrainedBaseline}, // 11xx0000
	{0x42, 0x4f, 0x00, baseline},            // x0xx0000
	{0x58, 0xcf, 0x80, baseline},            // 10xx0000
	{0x4d, 0xaf, 0x00, main},                // 0x0x0000
	{0x58, 0xcf, 0x00, extended},            // 00xx0000
	{0x64, 0xff, 0x0c, constrainedHigh},     // 00001100
	{0x64, 0xff, 0x00, high},                // 00000000
}

// decodes lists, for what a camera gives, the profiles whose decoders can show it,
// best first (H.264 clause A.2: every conforming decoder of the latter decodes the
// former). Cameras that say Baseline use none of its error resilience tools, so
// what decodes Constrained Baseline shows them.
var decodes = map[profile][]profile{
	constrainedBaseline: {constrainedBaseline, baseline, main, constrainedHigh, high, extended},
	baseline:            {baseline, constrainedBaseline, extended, main, constrainedHigh, high},
	main:                {main, high},
	constrainedHigh:     {constrainedHigh, high},
	high:                {high},
	extended:            {extended},
}

// profileOf reads a profile-level-id. Anything malformed is unknownProfile.
func profileOf(profileLevelID string) profile {
	b, err := hex.DecodeString(profileLevelID)
	if err != nil || len(b) != 3 {
		return unknownProfile
	}
	for _, p := range patterns {
		if p.idc == b[0] && b[1]&p.mask == p.flags {
			return p.profile
		}
	}
	return unknownProfile
}

// choose picks among the offered formats the one to send the camera's H.264 under.
// pion answers only a profile-level-id whose first two bytes it was given, so the
// camera's own would often match nothing though the viewer can show it.
func choose(camera string, offered []h264) (h264, bool) {
	for _, want := range decodes[profileOf(camera)] {
		for _, o := range offered {
			if profileOf(o.profileLevelID) == want {
				return o, true
			}
		}
	}
	return h264{}, false
}
