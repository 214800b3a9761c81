package schedule

import (
	"math/bits"
	"strings"
	"time"
)

const (
	maxText    = 256 // bytes
	maxWindows = 16
	day        = 24 * 60 // minutes
)

// Weekly is a set of windows that repeat each week. The zero value holds never.
// docs/protocol.md 5.8:
//
//	weekly = window *( ";" window )
//	window = [ days 1*" " ] time "-" time
//	days   = range *( "," range )
//	range  = name [ "-" name ]             ; may go over the week's end: Sa-Mo
//	name   = "Mo" / "Tu" / "We" / "Th" / "Fr" / "Sa" / "Su"    ; RFC 5545's, in any case
//	time   = 2DIGIT ":" 2DIGIT             ; 24:00 as an end only
//
// Blanks may stand around each of these, except within a name or a time. A window
// whose end is not after its start goes on into the next day; it belongs to the day
// on which it starts. The end itself is outside. Start and end are never the same.
type Weekly struct{ windows []window }

// window lasts from minute start to minute end of the days, one bit each from
// Monday; from start to midnight and on to end of the next day if end < start.
// 0 <= start < day, 0 < end <= day.
type window struct {
	days       uint8
	start, end int
}

const (
	names   = "MoTuWeThFrSaSu"
	daily   = 1<<7 - 1
	weekLen = 7
)

// Parse reads a weekly schedule. Error: ErrWeekly.
func Parse(text string) (Weekly, error) {
	if len(text) > maxText {
		return Weekly{}, ErrWeekly
	}
	parts := strings.Split(text, ";")
	if len(parts) > maxWindows {
		return Weekly{}, ErrWeekly
	}
	var w Weekly
	for _, part := range parts {
		win, ok := parseWindow(strings.Trim(part, " "))
		if !ok {
			return Weekly{}, ErrWeekly
		}
		w.windows = append(w.windows, win)
	}
	if len(w.String()) > maxText { // what is kept must be readable again
		return Weekly{}, ErrWeekly
	}
	return w, nil
}

// ParseDaily reads one window of every day, such as quiet hours. Error: ErrDaily.
func ParseDaily(text string) (Weekly, error) {
	w, err := Parse(text)
	if err != nil || len(w.windows) != 1 || w.windows[0].days != daily {
		return Weekly{}, ErrDaily
	}
	return w, nil
}

func parseWindow(text string) (w window, ok bool) {
	w.days = daily
	if first := strings.IndexAny(text, "0123456789"); first > 0 {
		list := text[:first]
		if !strings.HasSuffix(list, " ") {
			return window{}, false
		}
		if w.days, ok = parseDays(list); !ok {
			return window{}, false
		}
		text = text[first:]
	}
	from, to, _ := strings.Cut(text, "-")
	start, ok1 := parseTime(strings.Trim(from, " "))
	end, ok2 := parseTime(strings.Trim(to, " "))
	if !ok1 || !ok2 || start == end || start == day {
		return window{}, false
	}
	if end == 0 { // 22:00-00:00 and 22:00-24:00 are the same
		end = day
	}
	w.start, w.end = start, end
	return w, true
}

func parseDays(list string) (days uint8, ok bool) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, ok := parseDay(from)
		if !ok {
			return 0, false
		}
		last := first
		if isRange {
			if last, ok = parseDay(to); !ok || last == first { // one day, or a week?
				return 0, false
			}
		}
		for d := first; ; d = (d + 1) % weekLen {
			days |= 1 << d
			if d == last {
				break
			}
		}
	}
	return days, true
}

func parseDay(name string) (int, bool) {
	name = strings.Trim(name, " ")
	for d := range weekLen {
		// By length too, because EqualFold takes a long s for an S.
		if len(name) == 2 && strings.EqualFold(name, dayName(d)) {
			return d, true
		}
	}
	return 0, false
}

func dayName(d int) string { return names[2*d : 2*d+2] }

// parseTime reads HH:MM as minutes since midnight, up to 24:00.
func parseTime(s string) (minute int, ok bool) {
	if len(s) != len("HH:MM") || s[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	past := int(s[3]-'0')*10 + int(s[4]-'0')
	minute = (int(s[0]-'0')*10+int(s[1]-'0'))*60 + past
	return minute, past < 60 && minute <= day
}

// String is the canonical form, which Parse reads as the same schedule.
func (w Weekly) String() string {
	var b strings.Builder
	for i, win := range w.windows {
		if i > 0 {
			b.WriteString("; ")
		}
		if win.days != daily {
			writeDays(&b, win.days)
			b.WriteByte(' ')
		}
		writeTime(&b, win.start)
		b.WriteByte('-')
		writeTime(&b, win.end)
	}
	return b.String()
}

// writeDays writes each run of days, from the first one that begins on Monday or
// later, over the week's end if need be.
func writeDays(b *strings.Builder, days uint8) {
	has := func(d int) bool { return days>>(d%weekLen)&1 != 0 }
	comma := ""
	for d := range weekLen {
		if !has(d) || has(d+weekLen-1) {
			continue
		}
		n := bits.TrailingZeros16(^((uint16(days) | uint16(days)<<weekLen) >> d))
		b.WriteString(comma + dayName(d))
		if n > 1 {
			b.WriteString("-" + dayName((d+n-1)%weekLen))
		}
		comma = ","
	}
}

func writeTime(b *strings.Builder, minute int) {
	for i, n := range []int{minute / 60, minute % 60} {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteByte(byte('0' + n/10))
		b.WriteByte(byte('0' + n%10))
	}
}

// Holds reports whether t is in a window by its own location's wall clock: an hour
// that the clock shows twice counts both times, one that it skips never.
func (w Weekly) Holds(t time.Time) bool {
	today := (int(t.Weekday()) + weekLen - 1) % weekLen // Monday is 0
	yesterday := (today + weekLen - 1) % weekLen
	minute := t.Hour()*60 + t.Minute()
	for _, win := range w.windows {
		if win.holds(today, yesterday, minute) {
			return true
		}
	}
	return false
}

func (w window) holds(today, yesterday, minute int) bool {
	on := func(d int) bool { return w.days>>d&1 != 0 }
	if w.start < w.end {
		return on(today) && w.start <= minute && minute < w.end
	}
	return on(today) && minute >= w.start || on(yesterday) && minute < w.end
}
