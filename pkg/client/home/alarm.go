package home

import (
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
)

// alarmVersion is the format of an alarm's file.
const alarmVersion = 1

// The kinds of an Alarm.
const (
	AlarmRollback   = "rollback"   // the log is shorter than it was
	AlarmFork       = "fork"       // it has the same length, and is different
	AlarmProof      = "proof"      // it does not prove that it continues what it was
	AlarmCheckpoint = "checkpoint" // an answer has no checkpoint, or one that is not this log's
	AlarmEntry      = "entry"      // what was done is not in the log as it was asked for
	AlarmTexts      = "texts"      // the entries that the camera sends are not those that it signed
	AlarmAway       = "away"       // like proof, of a log that grew by more than a camera can prove
)

// Alarm is what a client keeps when a camera's answer contradicts what its access
// log was before. It stays until somebody acknowledges it. docs/protocol.md 6.8.
type Alarm struct {
	Version int      `json:"version"`
	Kind    string   `json:"kind"`
	Have    string   `json:"have"` // the signed checkpoint that was verified last; empty: none
	Got     string   `json:"got"`  // what the camera sent instead; empty: nothing
	Op      proto.Op `json:"op"`   // of the request
	At      int64    `json:"at"`   // Unix seconds by this computer's clock
	Told    bool     `json:"told"` // the camera passed it on to the other members
}

var alarmSentences = map[string]string{
	AlarmRollback:   "shows an access log that is shorter than it was: entries are gone, or its storage was put back to an earlier state",
	AlarmFork:       "shows an access log that contradicts the one that it showed before: entries were changed",
	AlarmProof:      "does not prove that its access log continues the one that it showed before: entries may have been changed",
	AlarmCheckpoint: "sent an answer without the signed state of its access log, or with one that is not its own",
	AlarmEntry:      "did something without entering it into its access log as it was asked for",
	AlarmAway: "can't prove that its access log continues the one that it showed before: you were away for so long that it keeps " +
		"no hashes of that time any more",
	AlarmTexts: "sent entries of its access log that are not those that it signed",
}

// Sentence says what was seen, and what to do.
func (a Alarm) Sentence(title string) string {
	what, ok := alarmSentences[a.Kind]
	if !ok {
		what = "contradicts its access log"
	}
	return fmt.Sprintf("Alarm: the camera %s %s (seen %s). Trust neither its log nor its pictures before you know why: ask the other members, "+
		"and have someone at the camera run camd log. camctl log --acknowledge then ends the alarm.", title, what, dateTime(a.At))
}

// Alarm returns the alarm that was not acknowledged yet, nil if there is none.
func (s *Household) Alarm() (*Alarm, error) {
	data, err := s.read(fileAlarm)
	if err != nil || data == nil {
		return nil, err
	}
	return parseAlarm(s.path(fileAlarm), data)
}

func parseAlarm(path string, data []byte) (*Alarm, error) {
	var a Alarm
	if err := parseVersioned(path, data, alarmVersion, &a); err != nil {
		return nil, err
	}
	return &a, nil
}

// RaiseAlarm keeps a, unless there is an alarm already, which stays as it is. It
// reports whether a was the first.
func (s *Household) RaiseAlarm(a Alarm) (first bool, err error) {
	a.Version = alarmVersion
	err = s.locked(func() error {
		data, err := s.read(fileAlarm)
		if err != nil || data != nil {
			return err
		}
		first = true
		return s.writeJSON(fileAlarm, a)
	})
	return first, err
}

// SetAlarmTold writes down that the other members know of the alarm.
func (s *Household) SetAlarmTold() error {
	return s.locked(func() error {
		a, err := s.Alarm()
		if err != nil || a == nil {
			return err
		}
		a.Told = true
		return s.writeJSON(fileAlarm, a)
	})
}

// Acknowledge ends the alarm about a camera, and reports whether there was one. What
// the camera showed is the base of what follows, if it was a checkpoint of this log at
// all. The alarm stays in a file.
func (h *Home) Acknowledge(r Record) (bool, error) {
	s, err := OpenHousehold(h, r)
	if err != nil {
		return false, err
	}
	a, err := s.Alarm()
	if err != nil || a == nil {
		return false, err
	}
	err = s.locked(func() error {
		a, err := s.Alarm()
		if err != nil || a == nil {
			return err
		}
		if err := s.writeJSON(fileAcknowledged, a); err != nil {
			return err
		}
		if _, err := s.ParseCheckpoint(a.Got); err == nil {
			if err := s.write(fileCheckpoint, []byte(a.Got)); err != nil {
				return err
			}
		}
		return errors.Join(s.remove(fileNotice), s.remove(fileAlarm))
	})
	if err != nil {
		return true, NewProblem(err, "The alarm can't be acknowledged: %v.", err)
	}
	return true, nil
}
