package schedule

import "errors"

// What a text is not, with what to write instead.
var (
	ErrWeekly = errors.New("not a weekly schedule: write it as Mo-Fr 08:00-17:00; Sa,Su 10:00-12:00, " +
		"with the days Mo Tu We Th Fr Sa Su (none means every day), two digits for each hour and minute " +
		"from 00:00 to 24:00, at most 16 such times and 256 characters")
	ErrDaily = errors.New("not a time of day: write it as 22:00-07:00")
	ErrZone  = errors.New("not a time zone that is known here: write it as Europe/Berlin")
)
