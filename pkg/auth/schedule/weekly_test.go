package schedule

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"Mo-Fr 08:00-17:00":                        "Mo-Fr 08:00-17:00",
		"mo-FR  8:00-17:00":                        "",
		"mo-FR  08:00 - 17:00":                     "Mo-Fr 08:00-17:00",
		" Mo - Fr 08:00-12:00 ;Sa, Su 10:00-12:00": "Mo-Fr 08:00-12:00; Sa-Su 10:00-12:00",
		"Su,We 09:00-10:00":                        "We,Su 09:00-10:00",
		"Sa-Mo 09:00-10:00":                        "Sa-Mo 09:00-10:00",
		"Mo,Sa,Su 09:00-10:00":                     "Sa-Mo 09:00-10:00",
		"Th-Tu 09:00-10:00":                        "Th-Tu 09:00-10:00",
		"Mo,We,Fr-Sa,Sa 09:00-10:00":               "Mo,We,Fr-Sa 09:00-10:00",
		"We-Tu 09:00-10:00":                        "09:00-10:00",
		"Mo-Su 00:00-24:00":                        "00:00-24:00",
		"22:00-07:00":                              "22:00-07:00",
		"Fr 22:00-06:00":                           "Fr 22:00-06:00",
		"Fr 22:00-00:00":                           "Fr 22:00-24:00",
		"Fr 00:00-00:01":                           "Fr 00:00-00:01",
		"Mo 08:00-12:00; Mo 13:00-17:00":           "Mo 08:00-12:00; Mo 13:00-17:00",
		"":                                         "",
		";":                                        "",
		"Mo 08:00-12:00;":                          "",
		"Mo":                                       "",
		"Mo 08:00":                                 "",
		"Mo 08:00-":                                "",
		"Mo -12:00":                                "",
		"Mo08:00-12:00":                            "",
		"- 08:00-12:00":                            "",
		"Mo- 08:00-12:00":                          "",
		"Mo,, 08:00-12:00":                         "",
		", 08:00-12:00":                            "",
		"Mo-Mo 08:00-12:00":                        "", // one day, or a week?
		"Mo-We-Fr 08:00-12:00":                     "",
		"Mo Tu 08:00-12:00":                        "",
		"Mon 08:00-12:00":                          "",
		"oT 08:00-12:00":                           "",
		"\u017fa 08:00-12:00":                      "", // a long s
		"Di 08:00-12:00":                           "",
		"Mo 08:00-12:00 13:00-17:00":               "",
		"Mo 08:00-12:00, Tu 08:00-12:00":           "",
		"Mo 08:00-08:00":                           "",
		"Mo 00:00-00:00":                           "",
		"Mo 24:00-08:00":                           "",
		"Mo 08:00-24:01":                           "",
		"Mo 08:60-12:00":                           "",
		"Mo 25:00-12:00":                           "",
		"Mo +8:00-12:00":                           "",
		"Mo 0800-1200":                             "",
		"Mo 08:00:00-12:00":                        "",
		"Mo\t08:00-12:00":                          "",
		"Mo 08:00\u201312:00":                      "",
		"Mo 08:00-12:00\n":                         "",
		strings.Repeat(" ", 257-17) + "Mo-Fr 08:00-17:00":           "",
		strings.Repeat(" ", 256-17) + "Mo-Fr 08:00-17:00":           "Mo-Fr 08:00-17:00",
		strings.Repeat("00:00-01:00;", 15) + "00:00-01:00":          strings.Repeat("00:00-01:00; ", 15) + "00:00-01:00",
		strings.Repeat("00:00-01:00;", 16) + "00:00-01:00":          "",
		strings.Repeat("Mo 00:00-01:00;", 15) + "Mo,We 00:00-01:00": "", // 242 bytes here, 257 when it is written
	} {
		w, err := Parse(text)
		if want == "" {
			if !errors.Is(err, ErrWeekly) || !reflect.DeepEqual(w, Weekly{}) {
				t.Errorf("Parse(%q) = %q, %v, want ErrWeekly", text, w, err)
			}
			continue
		}
		if err != nil || w.String() != want {
			t.Errorf("Parse(%q) = %q, %v, want %q", text, w, err, want)
		}
	}
}

func TestParseDaily(t *testing.T) {
	for text, ok := range map[string]bool{
		"22:00-07:00": true, "08:00-24:00": true, "Mo-Su 22:00-07:00": true,
		"Mo-Sa 22:00-07:00": false, "22:00-07:00; 12:00-13:00": false, "22-7": false, "": false,
	} {
		if w, err := ParseDaily(text); (err == nil) != ok || err != nil && !errors.Is(err, ErrDaily) {
			t.Errorf("ParseDaily(%q) = %q, %v, want ok %v", text, w, err, ok)
		}
	}
}

// Every set of days is written in a way that reads back, by runs that don't touch.
func TestEverySetOfDaysReadsBack(t *testing.T) {
	for days := uint8(1); days <= daily; days++ {
		w := Weekly{[]window{{days, 60, 30}}}
		back, err := Parse(w.String())
		if err != nil || !reflect.DeepEqual(back, w) {
			t.Errorf("%07b: %q reads as %+v, %v", days, w, back, err)
		}
	}
}

func TestHolds(t *testing.T) {
	// 2027-03-01 is a Monday.
	at := func(day, hour, minute, second int) time.Time {
		return time.Date(2027, 3, day, hour, minute, second, 999, time.UTC)
	}
	const mo, tu, fr, sa, su = 1, 2, 5, 6, 7
	for _, c := range []struct {
		weekly string
		t      time.Time
		want   bool
	}{
		{"Mo-Fr 08:00-17:00", at(mo, 7, 59, 59), false},
		{"Mo-Fr 08:00-17:00", at(mo, 8, 0, 0), true},
		{"Mo-Fr 08:00-17:00", at(fr, 16, 59, 59), true},
		{"Mo-Fr 08:00-17:00", at(fr, 17, 0, 0), false},
		{"Mo-Fr 08:00-17:00", at(sa, 12, 0, 0), false},
		{"Fr 22:00-06:00", at(fr, 5, 0, 0), false}, // that would be Thursday's
		{"Fr 22:00-06:00", at(fr, 22, 0, 0), true},
		{"Fr 22:00-06:00", at(sa, 5, 59, 59), true},
		{"Fr 22:00-06:00", at(sa, 6, 0, 0), false},
		{"Fr 22:00-06:00", at(sa, 22, 0, 0), false},
		{"Su 22:00-06:00", at(mo, 5, 0, 0), true}, // over the week's end
		{"Su 22:00-06:00", at(su, 5, 0, 0), false},
		{"Fr 22:00-24:00", at(fr, 23, 59, 59), true},
		{"Fr 22:00-24:00", at(sa, 0, 0, 0), false},
		{"Fr 22:00-00:01", at(sa, 0, 0, 59), true},
		{"Fr 22:00-00:01", at(sa, 0, 1, 0), false},
		{"Mo 00:00-24:00", at(mo, 0, 0, 0), true},
		{"Mo 00:00-24:00", at(su, 23, 59, 59), false},
		{"Sa-Mo 09:00-10:00", at(mo, 9, 0, 0), true},
		{"Sa-Mo 09:00-10:00", at(tu, 9, 0, 0), false},
		{"22:00-07:00", at(tu, 3, 0, 0), true},
		{"22:00-07:00", at(tu, 7, 0, 0), false},
		{"Mo 08:00-09:00; Tu 10:00-11:00", at(tu, 10, 30, 0), true},
		{"Mo 08:00-09:00; Tu 10:00-11:00", at(tu, 8, 30, 0), false},
	} {
		if got := parse(t, c.weekly).Holds(c.t); got != c.want {
			t.Errorf("%q at %s: %v, want %v", c.weekly, c.t.Format("Mon 15:04:05"), got, c.want)
		}
	}
	if (Weekly{}).Holds(at(mo, 0, 0, 0)) {
		t.Error("the zero value holds")
	}
}

func parse(t *testing.T, text string) Weekly {
	t.Helper()
	w, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return w
}

// How many minutes of each day a window holds, where clocks are set.
func TestHoldsByTheWallClock(t *testing.T) {
	for _, c := range []struct {
		zone, weekly     string
		year, month, day int
		want             int // minutes
	}{
		{"Europe/Berlin", "02:00-03:00", 2027, 3, 27, 60},
		{"Europe/Berlin", "02:00-03:00", 2027, 3, 28, 0},     // skipped
		{"Europe/Berlin", "01:30-03:30", 2027, 3, 28, 60},    // what is left of it
		{"Europe/Berlin", "02:00-03:00", 2027, 10, 31, 120},  // twice
		{"Europe/Berlin", "Su 02:30-02:31", 2027, 10, 31, 2}, // 02:30 is there two times
		{"Europe/Berlin", "Su 00:00-24:00", 2027, 10, 31, 25 * 60},
		{"Europe/Berlin", "Su 00:00-24:00", 2027, 3, 28, 23 * 60},
		{"Europe/Berlin", "Sa 22:00-06:00", 2027, 3, 28, 5 * 60}, // Sunday's part
		{"America/New_York", "02:00-03:00", 2027, 3, 14, 0},
		{"America/New_York", "01:00-02:00", 2027, 11, 7, 120},
		{"Australia/Lord_Howe", "02:00-02:30", 2027, 10, 3, 0}, // half an hour is skipped
		{"Australia/Lord_Howe", "02:00-03:00", 2027, 10, 3, 30},
		{"Australia/Lord_Howe", "01:00-02:00", 2027, 4, 4, 90},
		{"Asia/Kathmandu", "08:00-09:00", 2027, 3, 28, 60},
		{"Antarctica/Troll", "01:00-03:00", 2027, 3, 28, 0}, // two hours are skipped
		{"America/Santiago", "00:00-01:00", 2027, 9, 5, 0},  // midnight itself is skipped
		{"Europe/Dublin", "01:00-02:00", 2027, 10, 31, 120}, // whose summer is the standard
	} {
		loc, err := builtIn(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		w, got := parse(t, c.weekly), 0
		start := time.Date(c.year, time.Month(c.month), c.day, 0, 0, 0, 0, time.UTC).Add(-14 * time.Hour)
		for i := range 52 * 60 {
			at := start.Add(time.Duration(i) * time.Minute).In(loc)
			if at.Day() == c.day && w.Holds(at) {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s, %s on %d-%d-%d: %d minutes, want %d", c.zone, c.weekly, c.year, c.month, c.day, got, c.want)
		}
	}
	loc, err := builtIn("Asia/Kathmandu")
	if err != nil {
		t.Fatal(err)
	}
	if at := time.Date(2027, 3, 1, 2, 15, 0, 0, time.UTC); !parse(t, "08:00-08:01").Holds(at.In(loc)) {
		t.Error("02:15 UTC is not 08:00 in Kathmandu")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"Mo-Fr 08:00-17:00", "Sa-Mo 22:00-06:00;Tu,Th 00:00-24:00", "22:00-07:00", "Mo,Sa 9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrWeekly) {
				t.Fatalf("untyped: %v", err)
			}
			return
		}
		back, err := Parse(w.String())
		if err != nil || !reflect.DeepEqual(back, w) || back.String() != w.String() {
			t.Fatalf("%q is written %q, which reads as %q, %v", text, w, back, err)
		}
		if len(w.windows) == 0 || len(w.windows) > maxWindows {
			t.Fatalf("%d windows", len(w.windows))
		}
		for _, win := range w.windows {
			if win.days == 0 || win.days > daily || win.start < 0 || win.start >= day || win.end <= 0 || win.end > day || win.start == win.end {
				t.Fatalf("%q: %+v", text, win)
			}
		}
	})
}
