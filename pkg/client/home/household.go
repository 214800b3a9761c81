package home

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// The files about one camera's household, beside the camera's record.
const (
	fileCheckpoint   = ".cp"           // the last verified checkpoint of the access log
	fileAlarm        = ".alarm"        // two states of the log that can't both be true
	fileAcknowledged = ".acknowledged" // the alarm before
	filePending      = ".pending"      // revocations that were not answered yet
	fileNotice       = ".note"         // the last notice that was shown
	fileSequence     = ".seq"          // the number of the last request
	fileLock         = ".lock"         // locked while one of them changes
)

// Household is what a client knows of the household of one camera, in one epoch, and
// keeps from one run to the next. Several processes may share a home: whoever changes
// a file reads it again under a lock. It is safe for concurrent use.
type Household struct {
	Keys envelope.Trio // the keys that sign and open the camera's messages

	home   *Home // nil: everything is kept in memory
	record Record
	origin string     // of the access log
	change sync.Mutex // held by locked

	mu     sync.Mutex
	memory map[string][]byte // what could not be written to a file
}

// OpenHousehold returns what h knows of the household of a camera. If h is nil,
// nothing is written, and all is forgotten with the process.
func OpenHousehold(h *Home, r Record) (*Household, error) {
	keys, err := r.Verify()
	if err != nil {
		return nil, err
	}
	return &Household{Keys: keys, home: h, record: r, origin: accesslog.Origin(r.Device, r.Epoch), memory: map[string][]byte{}}, nil
}

// path returns the name of a file, for people too.
func (s *Household) path(ext string) string {
	if s.home == nil {
		return string(s.record.Device) + ext
	}
	return s.home.file(s.record.Device, ext)
}

// locked runs act while no other goroutine or process of this home changes a file.
func (s *Household) locked(act func() error) error {
	s.change.Lock()
	defer s.change.Unlock()
	if s.home == nil {
		return act()
	}
	f, err := os.OpenFile(s.path(fileLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return act() // nobody can write here: what follows says so where it matters
	}
	defer func() { _ = f.Close() }() // which releases the lock
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return errors.Join(err, act())
		}
	}
}

// read returns a file, nil if there is none. It needs no lock: files are replaced
// whole.
func (s *Household) read(ext string) ([]byte, error) {
	s.mu.Lock()
	data, ok := s.memory[ext]
	s.mu.Unlock()
	if ok || s.home == nil {
		return data, nil
	}
	data, err := readBounded(s.path(ext))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// write replaces a file. What can't be written is kept in memory.
func (s *Household) write(ext string, data []byte) error {
	var err error
	if s.home != nil {
		err = replaceFile(s.path(ext), data)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.home == nil || err != nil {
		s.memory[ext] = data
	} else {
		delete(s.memory, ext)
	}
	return err
}

func (s *Household) writeJSON(ext string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.write(ext, data)
}

func (s *Household) remove(ext string) error {
	s.mu.Lock()
	delete(s.memory, ext)
	s.mu.Unlock()
	if s.home == nil {
		return nil
	}
	err := os.Remove(s.path(ext))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(s.home.cameras()))
}

// SetRole writes down what the camera says now about this client's role and name.
func (s *Household) SetRole(role proto.Role, name string) error {
	if s.home == nil {
		return nil
	}
	r := s.record
	r.Role, r.Member = role, name
	return s.home.Save(r)
}

// Sequence returns the number of the last request to the camera. It has a file of its
// own, so that what changes often can't damage what must last. If it is lost or wrong,
// the clock and the camera's answer correct it.
func (s *Household) Sequence() uint64 {
	data, err := s.read(fileSequence)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// RaiseSequence keeps n, unless another process has kept a higher number.
func (s *Household) RaiseSequence(n uint64) error {
	if s.home == nil || n <= s.Sequence() {
		return nil
	}
	err := replaceFile(s.path(fileSequence), strconv.AppendUint(nil, n, 10))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the home was removed
	}
	return err
}

// NoticeCursor is how far a client has read the notices of one epoch.
type NoticeCursor struct {
	Known bool
	Index uint64 // of the last one
}

// NoticeCursor returns how far this home has read. A cursor of another epoch, or one
// that can't be read, is not known.
func (s *Household) NoticeCursor() NoticeCursor {
	data, err := s.read(fileNotice)
	if err != nil {
		return NoticeCursor{}
	}
	return parseCursor(data, s.record.Epoch)
}

func parseCursor(data []byte, epoch uint64) NoticeCursor {
	of, rest, ok := strings.Cut(strings.TrimSpace(string(data)), " ")
	ep, err := strconv.ParseUint(of, 10, 64)
	if !ok || err != nil || ep != epoch {
		return NoticeCursor{}
	}
	n, err := strconv.ParseUint(rest, 10, 64)
	return NoticeCursor{Known: err == nil, Index: n}
}

// SetNoticeCursor moves the cursor to index, unless another process has moved it further.
func (s *Household) SetNoticeCursor(index uint64) error {
	return s.locked(func() error {
		if c := s.NoticeCursor(); c.Known && c.Index >= index {
			return nil
		}
		return s.write(fileNotice, []byte(strconv.FormatUint(s.record.Epoch, 10)+" "+strconv.FormatUint(index, 10)))
	})
}

// ResetNoticeCursor forgets how far this home has read.
func (s *Household) ResetNoticeCursor() error {
	return s.locked(func() error { return s.remove(fileNotice) })
}

func dateTime(unix int64) string { return time.Unix(unix, 0).Format(time.DateTime) }
