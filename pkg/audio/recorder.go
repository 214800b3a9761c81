package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/camd-project/camd/pkg/audio/paced"
)

// recorder is a card that nobody hears. It appends what it is given to a file, as 16-bit
// little-endian samples at 48 kHz: for the demo's speaker, and for tests.
type recorder struct {
	*paced.Card
	file *os.File
	raw  []byte
}

func openRecorder(path string) (player, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the speaker's file: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !ours(info) {
		err = notOurs(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &recorder{Card: paced.New(), file: f}, nil
}

// ours reports whether a file can be one that openRecorder made: a regular file of this
// user, with one name, which nobody else reads or writes. Any other file must not be spoilt.
func ours(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode() == 0o600 && int(st.Uid) == os.Geteuid() && st.Nlink == 1
}

func notOurs(path string) error {
	return fmt.Errorf("the speaker's file %s is none that camd made: let speaker_file name one that is not there yet", path)
}

// CheckSpeakerFile returns why a file can't be used for speaker = "file", or nil. The file
// need not exist. It changes nothing.
func CheckSpeakerFile(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at the speaker's file: %w", err)
	case !ours(info):
		return notOurs(path)
	}
	return nil
}

// Write appends what the card takes to the file.
func (r *recorder) Write(samples []int16) (int, error) {
	n, err := r.Card.Write(samples)
	r.raw = r.raw[:0]
	for _, s := range samples[:n] {
		r.raw = binary.LittleEndian.AppendUint16(r.raw, uint16(s)) //nolint:gosec // its bits
	}
	if _, e := r.file.Write(r.raw); e != nil && err == nil {
		err = fmt.Errorf("write the speaker's file: %w", e)
	}
	return n, err
}

// Close ends a Write; the file stays.
func (r *recorder) Close() error {
	err := r.Card.Close()
	if e := r.file.Close(); !errors.Is(e, os.ErrClosed) { // the second time
		err = errors.Join(err, e)
	}
	return err
}
