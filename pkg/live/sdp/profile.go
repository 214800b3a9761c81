package sdp

import (
	"encoding/hex"

	"github.com/camd-project/camd/pkg/live/rtc"
)

// profile is an H.264 profile, or the part of one that constraint flags name
// (H.264 clause A.2, RFC 6184 section 8.1).
type profile int

const (
	unknownProfile profile = iota
	constrainedBaseline
	baseline
	main
	extended
	constrainedHigh
	high
	highAsMain // High that says it keeps to Main
	unsaid     // an offer names none
)

// profile_idc and the constraint flags that distinguish profiles (clause A.2).
const (
	idcBaseline = 66
	idcMain     = 77
	idcExtended = 88
	idcHigh     = 100

	keepsToBaseline = 0x80 // constraint_set0_flag
	keepsToMain     = 0x40 // constraint_set1_flag
	isLevel1b       = 0x10 // constraint_set3_flag, of Baseline, Main and Extended with level_idc 11
	noFields        = 0x08 // constraint_set4_flag, of Main, Extended and High
	noB             = 0x04 // constraint_set5_flag, likewise
)

// decodes lists, for what a camera gives, the profiles whose decoders can show it,
// best first (H.264 clause A.2: every conforming decoder of the latter decodes the
// former). Cameras that say Baseline use none of its error resilience tools, so
// what decodes Constrained Baseline shows them. Camd sends no B slices, and cameras
// give no fields, so what decodes Constrained High shows Main and High too.
var decodes = map[profile][]profile{
	constrainedBaseline: {constrainedBaseline, baseline, main, highAsMain, constrainedHigh, high, extended},
	baseline:            {baseline, constrainedBaseline, extended, main, highAsMain, constrainedHigh, high},
	main:                {main, highAsMain, high, constrainedHigh},
	constrainedHigh:     {constrainedHigh, high},
	high:                {high, constrainedHigh, highAsMain},
	highAsMain:          {highAsMain, high, constrainedHigh, main},
	extended:            {extended},
}

// profileOf returns the profile of a profile-level-id. It ignores flags that mean
// nothing for a profile_idc, as decoders do (H.264 clause 7.4.2.1.1): cameras set them.
func profileOf(profileLevelID string) profile {
	if profileLevelID == "" {
		return unsaid
	}
	idc, flags, _ := parts(profileLevelID)
	has := func(f byte) bool { return flags&f == f }
	switch idc {
	case idcBaseline:
		if has(keepsToMain) {
			return constrainedBaseline
		}
		return baseline
	case idcMain:
		if has(keepsToBaseline) {
			return constrainedBaseline
		}
		return main
	case idcExtended:
		switch {
		case has(keepsToBaseline | keepsToMain):
			return constrainedBaseline
		case has(keepsToBaseline):
			return baseline
		case has(keepsToMain):
			return main
		}
		return extended
	case idcHigh:
		if has(noFields | noB) {
			return constrainedHigh
		}
		if has(keepsToMain) {
			return highAsMain
		}
		return high
	}
	return unknownProfile
}

// parts returns the parts of a profile-level-id; idc is 0 if it is malformed.
func parts(profileLevelID string) (idc, flags, level byte) {
	b, err := hex.DecodeString(profileLevelID)
	if err != nil || len(b) != 3 {
		return 0, 0, 0
	}
	return b[0], b[1], b[2]
}

// Replaces reports whether a decoder that was chosen for one profile-level-id also takes
// another: it has the same profile, and no higher level (H.264 clause A.3).
func Replaces(other, chosen string) bool {
	a, _, _ := parts(other)
	b, _, _ := parts(chosen)
	return a != 0 && a == b && profileOf(other) == profileOf(chosen) && level(other) <= level(chosen)
}

// level returns twice the level_idc of a profile-level-id, so that there is a number for
// level 1b, which is between 1 and 1.1 (H.264 table A-1).
func level(profileLevelID string) int {
	idc, flags, level := parts(profileLevelID)
	if level == 9 || level == 11 && idc != idcHigh && flags&isLevel1b != 0 {
		return 21
	}
	return 2 * int(level)
}

// Choose picks among the offered formats the one to send a camera's H.264 under:
// by profile, else by profile_idc where that is all that is known of it, else one
// that names none. That would be Baseline at level 1 (RFC 6184 section 8.1), but who
// leaves it out doesn't mean that: libwebrtc takes it for Constrained Baseline at 3.1,
// and decoders look at the stream. The level is not looked at.
func (o *Offer) Choose(profileLevelID string) (rtc.H264, bool) {
	for _, want := range decodes[profileOf(profileLevelID)] {
		for _, f := range o.formats {
			if profileOf(f.profileLevelID) == want {
				return f.H264, true
			}
		}
	}
	idc, _, _ := parts(profileLevelID)
	for _, f := range o.formats {
		if same, _, _ := parts(f.profileLevelID); idc != 0 && same == idc {
			return f.H264, true
		}
	}
	for _, f := range o.formats {
		if profileOf(f.profileLevelID) == unsaid {
			return f.H264, true
		}
	}
	return rtc.H264{}, false
}
