package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/camd-project/camd/internal/command"
)

// when returns the times of a grant in words.
func when(weekly string, from, until int64, loc *time.Location) string {
	var l []string
	if weekly != "" {
		l = append(l, weekly)
	}
	if from != 0 {
		l = append(l, "from "+moment(from, loc))
	}
	if until != 0 {
		l = append(l, "until "+moment(until, loc))
	}
	if len(l) == 0 {
		return "always"
	}
	return strings.Join(l, ", ")
}

func moment(unix int64, loc *time.Location) string {
	return time.Unix(unix, 0).In(loc).Format("2006-01-02 15:04")
}

func clock(unix int64) string { return time.Unix(unix, 0).Format(time.DateTime) }

// inUTC questions hours that are counted in a zone where hardly anybody lives.
func inUTC(what string) string {
	return what + " count in UTC, the household's time zone until another one is chosen, such as by camctl settings --time-zone Europe/Berlin."
}

// zoneless reports whether a time says nothing of its zone.
func zoneless(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return text != "" && err != nil
}

// parseTime reads Unix seconds; 0 for an empty text.
func parseTime(flag, text string, loc *time.Location) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.DateTime} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t.Unix(), nil
		}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Unix() <= 0 {
		return 0, command.Usage(fmt.Sprintf("%s: %q is no time; write it as 2026-12-03 12:00 or 2026-12-03T12:00:00+01:00", flag, text))
	}
	return t.Unix(), nil
}
