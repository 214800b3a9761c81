package schedule

import (
	"archive/zip"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// moon names the zones that no rule describes.
var moon = map[string]bool{"Africa/Casablanca": true, "Africa/El_Aaiun": true, "Asia/Gaza": true, "Asia/Hebron": true}

// TestTableIsTheZoneDatabase compares offset, abbreviation and summer time of each
// day for 14 years, and of each quarter of an hour of the days on which clocks are
// set, with the zone files that come with Go (those of time/tzdata). If it fails
// after Go was updated, run go generate here.
func TestTableIsTheZoneDatabase(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(14, 0, 0)
	count := 0
	for name, data := range zoneFiles(t) {
		got, err := builtIn(name)
		if moon[name] {
			if !errors.Is(err, ErrZone) {
				t.Errorf("%s is in the table", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s is not in the table", name)
			continue
		}
		want, err := time.LoadLocationFromTZData(name, data)
		if err != nil {
			t.Fatal(err)
		}
		if at, same := compare(got, want, from, to); !same {
			t.Errorf("%s: %v, want %v", name, at.In(got), at.In(want))
		}
		count++
	}
	if in := strings.Count(zones, " "); count != in {
		t.Errorf("the table holds %d zones; the database %d that it could hold", in, count)
	}
}

// compare finds the first moment that differs. It does not ask for ZoneBounds, which
// in Go 1.26 are a day short at the end of leap years.
func compare(got, want *time.Location, from, to time.Time) (at time.Time, same bool) {
	const day, quarter = 24 * time.Hour, 15 * time.Minute
	for at = from; at.Before(to); at = at.Add(day) {
		if !equal(at, got, want) {
			return at, false
		}
		if offset(at, want) == offset(at.Add(day), want) {
			continue
		}
		for q := at; q.Before(at.Add(day)); q = q.Add(quarter) {
			for _, q := range []time.Time{q.Add(-time.Second), q} {
				if !equal(q, got, want) {
					return q, false
				}
			}
		}
	}
	return at, true
}

func equal(at time.Time, got, want *time.Location) bool {
	gotName, gotOffset := at.In(got).Zone()
	wantName, wantOffset := at.In(want).Zone()
	return gotName == wantName && gotOffset == wantOffset && at.In(got).IsDST() == at.In(want).IsDST()
}

func offset(at time.Time, loc *time.Location) int {
	_, offset := at.In(loc).Zone()
	return offset
}

func zoneFiles(t *testing.T) map[string][]byte {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib/time/zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files := map[string][]byte{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
		_ = in.Close()
	}
	return files
}

// The offsets of a few zones as everybody knows them, by no library.
func TestOffsetsOfKnownZones(t *testing.T) {
	winter, summer := time.Date(2030, 1, 15, 12, 0, 0, 0, time.UTC), time.Date(2030, 7, 15, 12, 0, 0, 0, time.UTC)
	const minute, hour = 60, 3600
	for name, want := range map[string][2]int{
		"UTC":                    {0, 0},
		"Europe/Berlin":          {hour, 2 * hour},
		"Europe/Dublin":          {0, hour},
		"America/New_York":       {-5 * hour, -4 * hour},
		"America/Nuuk":           {-2 * hour, -hour},
		"Australia/Lord_Howe":    {11 * hour, 10*hour + 30*minute},
		"Asia/Kathmandu":         {5*hour + 45*minute, 5*hour + 45*minute},
		"Etc/GMT+5":              {-5 * hour, -5 * hour},
		"America/Port-au-Prince": {-5 * hour, -4 * hour},
	} {
		for _, find := range []func(string) (*time.Location, error){Zone, builtIn} {
			loc, err := find(name)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			_, w := winter.In(loc).Zone()
			_, s := summer.In(loc).Zone()
			if w != want[0] || s != want[1] || loc.String() != name {
				t.Errorf("%s is %d and %d s off UTC, want %v", loc, w, s, want)
			}
		}
	}
}

func TestZoneRefuses(t *testing.T) {
	for _, name := range []string{
		"", "Local", "Europe", "Europe/", "/Europe/Berlin", "Europe//Berlin", "Europe/Atlantis", "europe/berlin",
		"../Europe/Berlin", "Europe/../Europe/Berlin", "./UTC", "/etc/passwd", "/usr/share/zoneinfo/Europe/Berlin",
		"posixrules", "localtime", "right/Europe/Berlin", "posix/Europe/Berlin", "zone.tab", "tzdata.zi",
		"Europe\\Berlin", "Europe/Berlin\x00", "Europe/Berlin\n", " Europe/Berlin", "Europe/Berlin ", "Europe/B\u00e9rlin",
		"CET-1CEST,M3.5.0,M10.5.0/3", "<+01>-1", "Europe/Berlin Europe/Paris",
		"A" + strings.Repeat("a", maxZone),
	} {
		if loc, err := Zone(name); !errors.Is(err, ErrZone) || loc != nil {
			t.Errorf("Zone(%q) = %v, %v, want ErrZone", name, loc, err)
		}
		if _, err := builtIn(name); err == nil {
			t.Errorf("builtIn(%q) is known", name)
		}
	}
}

func FuzzZone(f *testing.F) {
	for _, s := range []string{"Europe/Berlin", "UTC", "Etc/GMT+5", "../x", "CET-1CEST,M3.5.0,M10.5.0/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		loc, err := Zone(name)
		if (loc == nil) == (err == nil) || err != nil && !errors.Is(err, ErrZone) {
			t.Fatalf("Zone(%q) = %v, %v", name, loc, err)
		}
		if err == nil && (len(name) > maxZone || strings.Contains(name, ".") || filepath.IsAbs(name)) {
			t.Fatalf("Zone(%q) leads astray", name)
		}
	})
}
