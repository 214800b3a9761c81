package client

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"github.com/camd-project/camd/pkg/proto"
)

// What a client remembers of one camera's household, each in a file beside the
// camera's record.
const (
	fileCheckpoint   = ".cp"           // the last verified checkpoint of the access log
	fileAlarm        = ".alarm"        // two states of the log that can't both be true
	fileAcknowledged = ".acknowledged" // the alarm before
	filePending      = ".pending"      // revocations that were not answered yet
	fileNotice       = ".note"         // the last notice that was shown
	fileLock         = ".lock"         // held while one of them changes
)

// ledger keeps these files. Several processes may share a home, so whoever changes
// one reads it again under the lock. Without a home all is in memory.
type ledger struct {
	home   *Home // nil: nothing is written
	device proto.DeviceID
	turn   sync.Mutex // held by change

	mu     sync.Mutex
	memory map[string][]byte // all of it without a home; else what could not be written
}

func newLedger(home *Home, device proto.DeviceID) *ledger {
	return &ledger{home: home, device: device, memory: map[string][]byte{}}
}

// path names a file for people.
func (l *ledger) path(ext string) string {
	if l.home == nil {
		return string(l.device) + ext
	}
	return l.home.file(l.device, ext)
}

// change runs act while no other goroutine or process of this home changes a file.
func (l *ledger) change(act func() error) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.home == nil {
		return act()
	}
	f, err := os.OpenFile(l.home.file(l.device, fileLock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return act() // nobody can write here: what follows says so where it matters
	}
	defer func() { _ = f.Close() }() // which gives the lock back
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return errors.Join(err, act())
		}
	}
}

// read returns a file, nil if there is none. It needs no lock: files are replaced
// whole.
func (l *ledger) read(ext string) ([]byte, error) {
	if data, ok := l.remembered(ext); ok || l.home == nil {
		return data, nil
	}
	data, err := readBounded(l.home.file(l.device, ext))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (l *ledger) remembered(ext string) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	data, ok := l.memory[ext]
	return data, ok
}

func (l *ledger) remember(ext string, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if data == nil {
		delete(l.memory, ext)
		return
	}
	l.memory[ext] = data
}

// write replaces a file. What can't be written is remembered as long as the
// process lives.
func (l *ledger) write(ext string, data []byte) error {
	if l.home == nil {
		l.remember(ext, data)
		return nil
	}
	if err := replaceFile(l.home.file(l.device, ext), data); err != nil {
		l.remember(ext, data)
		return err
	}
	l.remember(ext, nil)
	return nil
}

// remove takes a file away.
func (l *ledger) remove(ext string) error {
	l.remember(ext, nil)
	if l.home == nil {
		return nil
	}
	err := os.Remove(l.home.file(l.device, ext))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(l.home.cameras()))
}
