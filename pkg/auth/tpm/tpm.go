package tpm

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Device is that of the kernel's resource manager, for whoever names no other.
const Device = "/dev/tpmrm0"

var (
	// ErrNone says that there is no TPM at all.
	ErrNone = errors.New("there is no TPM")
	// ErrLost says that the TPM can't open the key, and never will.
	ErrLost = errors.New("the TPM was cleared since it made the key, or is another one")
	// ErrForm says that a text is not the file of a key that Create made.
	ErrForm = errors.New("no key of a TPM")
)

// answerTime bounds one use of an emulator's socket. A device is bounded by the kernel.
const answerTime = 30 * time.Second

// alone is held while the TPM is used: it has room for three objects only. Between
// processes the kernel's resource manager sees to that.
var alone sync.Mutex

// tries and firstPause bound how often a TPM that is busy is asked again: for five seconds.
const (
	tries      = 10
	firstPause = 10 * time.Millisecond
)

// use does something with the TPM at path, and says in a sentence what is in the way.
func use(path, what string, do func(transport.TPM) error) error {
	alone.Lock()
	defer alone.Unlock()
	pause := firstPause
	for i := 1; ; i++ {
		err := once(path, do)
		if i == tries || !busy(err) {
			return explain(path, what, err)
		}
		time.Sleep(pause)
		pause *= 2
	}
}

func once(path string, do func(transport.TPM) error) error {
	t, err := open(path)
	if err != nil {
		return err
	}
	defer t.Close() //nolint:errcheck // all that counts was answered
	return do(t)
}

// open opens a device, or the socket of an emulator.
func open(path string) (transport.TPMCloser, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Mode()&fs.ModeSocket == 0 {
		if st.Mode()&fs.ModeCharDevice == 0 {
			return nil, errors.New("this is no device")
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		return transport.FromReadWriteCloser(f), nil
	}
	c, err := net.DialTimeout("unix", path, answerTime)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return transport.FromReadWriteCloser(c), nil
}

// busy reports whether the TPM may do later what it did not now.
func busy(err error) bool {
	var code tpm2.TPMRC
	return errors.As(err, &code) && code.IsWarning() && code != tpm2.TPMRCLockout
}

// sentences say what a TPM's answers mean to a person.
var sentences = map[tpm2.TPMRC]string{
	tpm2.TPMRCInitialize: "was not started by the firmware or the kernel",
	tpm2.TPMRCFailure:    "has failed its self-test and does nothing any more; switch the power off and on",
	tpm2.TPMRCUpgrade:    "waits for the rest of an upgrade of its firmware",
	tpm2.TPMRCReboot:     "has to be restarted; switch the power off and on",
	tpm2.TPMRCLockout:    "is locked, since somebody has tried wrong passwords at it; wait, or clear it in the firmware",
	tpm2.TPMRCHierarchy:  "has its storage hierarchy switched off; the firmware can switch it on",
	tpm2.TPMRCBadAuth:    "has a password on its storage hierarchy, and camd needs that to be empty",
	tpm2.TPMRCAuthFail:   "has a password on its storage hierarchy, and camd needs that to be empty",
	tpm2.TPMRCCurve:      "can't sign by ECDSA over P-256",
	tpm2.TPMRCAsymmetric: "can't sign by ECDSA over P-256",
	tpm2.TPMRCScheme:     "can't sign by ECDSA over P-256",
}

// explain makes a sentence of an error; ErrNone and ErrLost stay what they are.
func explain(path, what string, err error) error {
	var code tpm2.TPMRC
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrLost):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w at %s", ErrNone, path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("camd may not open the TPM at %s: add its user to the group of that device", path)
	case errors.As(err, &code):
		for known, sentence := range sentences {
			if code.Is(known) {
				return fmt.Errorf("the TPM at %s %s", path, sentence)
			}
		}
		if busy(err) {
			return fmt.Errorf("the TPM at %s is busy, and did not %s in five seconds; end what else uses it", path, what)
		}
		return fmt.Errorf("the TPM at %s did not %s: it answered %w", path, what, code)
	}
	return fmt.Errorf("the TPM at %s does not answer: %w", path, bare(err))
}

// bare leaves out what surrounds the system's own words.
func bare(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}
