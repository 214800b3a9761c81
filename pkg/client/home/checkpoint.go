package home

import (
	"bytes"
	"strings"

	"github.com/camd-project/camd/pkg/auth/accesslog"
)

// ParseCheckpoint reads a checkpoint of this household's access log and verifies its
// signature.
func (s *Household) ParseCheckpoint(text string) (accesslog.Checkpoint, error) {
	return accesslog.ParseCheckpoint(text, s.origin, s.Keys.Log)
}

// Checkpoint returns the last checkpoint that was verified; the zero value if there
// is none of this epoch.
func (s *Household) Checkpoint() (accesslog.Checkpoint, error) {
	data, err := s.read(fileCheckpoint)
	if err != nil || data == nil || !bytes.HasPrefix(data, []byte(s.origin+"\n")) && isOrigin(data) {
		return accesslog.Checkpoint{}, err
	}
	cp, err := s.ParseCheckpoint(string(data))
	if err != nil {
		return cp, NewProblem(err, "%s is damaged and was left as it is. It is what this client remembers of the camera's access log; move it away to start again.",
			s.path(fileCheckpoint))
	}
	return cp, nil
}

// isOrigin reports whether a checkpoint begins with the origin of some epoch's log.
func isOrigin(data []byte) bool {
	first, _, _ := strings.Cut(string(data), "\n")
	return strings.HasPrefix(first, "camd/") && strings.Count(first, "/") == 2
}

// Advance keeps now as the last verified checkpoint, if the one that it was verified
// from is still the last. Another one that was kept in between stays, since nothing
// proves that now continues it; the next request asks for that proof. A different
// checkpoint of the same size contradicts now, and is returned.
func (s *Household) Advance(from, now accesslog.Checkpoint) (contradicts *accesslog.Checkpoint, err error) {
	err = s.locked(func() error {
		stored, err := s.Checkpoint()
		if err != nil {
			return err
		}
		if stored.Size == now.Size && stored.Hash != now.Hash && stored.Note != "" {
			contradicts = &stored
			return nil
		}
		if stored.Size != from.Size || stored.Hash != from.Hash || stored.Note != "" && stored.Size == now.Size {
			return nil
		}
		return s.write(fileCheckpoint, []byte(now.Note))
	})
	return contradicts, err
}
