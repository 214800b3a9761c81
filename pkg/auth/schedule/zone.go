package schedule

import (
	_ "embed" // zones.txt
	"strings"
	"time"
)

// zones has a line for each rule: a POSIX TZ string with the extensions of RFC 9636
// 3.3.1, and the zones that keep it from the time of the table on. It stands in for
// a system's zone files, of which a bare image has none; importing time/tzdata
// would cost 450 kB. Zones whose clocks follow the moon (Africa/Casablanca,
// Africa/El_Aaiun, Asia/Gaza, Asia/Hebron) have no such rule and are not in it:
// better no hours than wrong ones.
//
//go:generate go run ./zonetable -o zones.txt
//go:embed zones.txt
var zones string

// maxZone bounds a zone's name in bytes; the longest there is has 32.
const maxZone = 64

// Zone finds a time zone by its IANA name, in the system's zone files or else in the
// table of this package. The latter knows no past, and nothing that was decided
// after it was made. Error: ErrZone.
func Zone(name string) (*time.Location, error) {
	if !zoneName(name) {
		return nil, ErrZone
	}
	if loc, err := time.LoadLocation(name); err == nil {
		return loc, nil
	}
	return builtIn(name)
}

// zoneName reports whether name has the form of those in the IANA database, and so
// leads to no other file. Local is the library's own word for the system's zone.
func zoneName(name string) bool {
	if len(name) > maxZone || name == "Local" {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] < 'A' || part[0] > 'Z' {
			return false
		}
		for _, c := range []byte(part) {
			letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
			if !letter && (c < '0' || c > '9') && c != '_' && c != '+' && c != '-' {
				return false
			}
		}
	}
	return true
}

func builtIn(name string) (*time.Location, error) {
	for line := range strings.Lines(zones) {
		rule, names, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		for n := range strings.SplitSeq(names, " ") {
			if n == name {
				return time.LoadLocationFromTZData(name, tzif(rule))
			}
		}
	}
	return nil, ErrZone
}

// tzif makes a zone file (RFC 9636 3) that consists of a rule only: both data blocks
// hold no transition and one local time type, -00, which says nothing.
func tzif(rule string) []byte {
	const (
		zeros = "\x00\x00\x00\x00"
		block = "TZif3" + zeros + zeros + zeros + "\x00\x00\x00" +
			zeros + zeros + zeros + zeros + "\x00\x00\x00\x01\x00\x00\x00\x04" + // counts
			zeros + "\x00\x00-00\x00"
	)
	return []byte(block + block + "\n" + rule + "\n")
}
