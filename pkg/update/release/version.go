package release

import (
	"strings"

	"golang.org/x/mod/semver"
)

// maxVersion bounds the bytes of a version.
const maxVersion = 64

// ValidVersion reports whether s is a valid version: three numbers and optionally a prerelease
// after a hyphen, such as 1.2.0 or 2.0.0-rc.1 (semver.org 2.0.0, without build metadata, because
// two builds must not count as the same release).
func ValidVersion(s string) bool {
	return len(s) <= maxVersion && !strings.ContainsRune(s, '+') && semver.IsValid("v"+s) && semver.Canonical("v"+s) == "v"+s
}

// Compare returns -1, 0 or +1 as version a is older than, the same as, or newer than b.
// An invalid version is older than every valid one.
func Compare(a, b string) int { return semver.Compare("v"+a, "v"+b) }
