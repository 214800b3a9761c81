package home

import (
	"fmt"
	"strings"
)

// Warnings returns sentences about a camera that a person should read whatever was
// asked for: the alarm, and the revocations without an answer.
func (s *Household) Warnings() (out []string) {
	if a, err := s.Alarm(); err != nil {
		out = append(out, err.Error())
	} else if a != nil {
		out = append(out, a.Sentence(s.record.Title()))
	}
	pending, err := s.PendingRevokes()
	if err != nil {
		return append(out, err.Error())
	}
	if len(pending) == 0 {
		return out
	}
	names := make([]string, len(pending))
	for i, r := range pending {
		names[i] = r.Who()
	}
	return append(out, fmt.Sprintf("The camera %s has not confirmed yet that these are removed: %s. It is asked again before anything else.",
		s.record.Title(), strings.Join(names, ", ")))
}

// Warnings returns those of the household of a camera.
func (h *Home) Warnings(r Record) []string {
	s, err := OpenHousehold(h, r)
	if err != nil {
		return []string{err.Error()}
	}
	return s.Warnings()
}
