package lens

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"os/exec"
	"time"
)

// longest is how long reading a picture may take.
const longest = 5 * time.Second

// errProcess is the error for a process that failed or took too long.
var errProcess = errors.New("the reader of codes failed")

// Process reads codes in a child process, which it starts when it needs one. It is not safe
// for concurrent use.
type Process struct {
	exe      string
	args     []string
	env      []string
	patience time.Duration

	cmd *exec.Cmd // nil: none runs
	in  io.WriteCloser
	out io.ReadCloser
}

// NewProcess returns a Process that runs exe with args; that program must call Serve.
func NewProcess(exe string, args ...string) *Process {
	// At most one core: the rest of camd is more important.
	return &Process{exe: exe, args: args, env: []string{"GOMAXPROCS=1"}, patience: longest}
}

// Find returns the text of a code in a picture, or "" if there is none. After an error the
// process has ended, and the next picture gets a new one.
func (p *Process) Find(ctx context.Context, m *image.Gray) (string, error) {
	for m.Rect.Dx()*m.Rect.Dy() > MaxPixels {
		m = half(m)
	}
	if p.cmd == nil {
		if err := p.start(); err != nil {
			return "", fmt.Errorf("%w: %w", errProcess, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	process := p.cmd.Process
	stop := context.AfterFunc(ctx, func() { _ = process.Kill() }) // what it was doing fails with it
	text, err := exchange(p.in, p.out, m)
	if !stop() && err == nil {
		err = ctx.Err() // it is being killed
	}
	if err != nil {
		_ = p.Close() // it was killed, or has gone by itself
		return "", fmt.Errorf("%w: %w", errProcess, err)
	}
	return text, nil
}

func (p *Process) start() error {
	cmd := exec.Command(p.exe, p.args...)
	cmd.Env = p.env
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return errors.Join(err, in.Close())
	}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, in.Close(), out.Close())
	}
	p.cmd, p.in, p.out = cmd, in, out
	return nil
}

// Close ends the process and waits for its end.
func (p *Process) Close() error {
	if p.cmd == nil {
		return nil
	}
	cmd := p.cmd
	p.cmd = nil
	_ = cmd.Process.Kill() // it may have gone already
	err := errors.Join(p.in.Close(), p.out.Close())
	_ = cmd.Wait() // that it was killed
	return err
}

// Between both a picture is its width and height, two bytes each, big-endian, and its
// pixels; the answer is the length of the text, two bytes, and the text.

func exchange(in io.Writer, out io.Reader, m *image.Gray) (string, error) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	head := binary.BigEndian.AppendUint16(nil, uint16(w))
	head = binary.BigEndian.AppendUint16(head, uint16(h))
	if _, err := in.Write(head); err != nil {
		return "", err
	}
	if _, err := in.Write(m.Pix[:w*h]); err != nil {
		return "", err
	}
	var length [2]byte
	if _, err := io.ReadFull(out, length[:]); err != nil {
		return "", err
	}
	n := binary.BigEndian.Uint16(length[:])
	if n > MaxText {
		return "", fmt.Errorf("a text of %d bytes", n)
	}
	text := make([]byte, n)
	_, err := io.ReadFull(out, text)
	return string(text), err
}

// Serve runs in the child process: it answers pictures until in ends.
func Serve(in io.Reader, out io.Writer) error {
	var r Reader
	for {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		w, h := int(binary.BigEndian.Uint16(head[:2])), int(binary.BigEndian.Uint16(head[2:]))
		if w == 0 || h == 0 || w*h > MaxPixels {
			return fmt.Errorf("a picture of %dx%d", w, h)
		}
		m := image.NewGray(image.Rect(0, 0, w, h))
		if _, err := io.ReadFull(in, m.Pix); err != nil {
			return err
		}
		text := r.Read(m)
		if _, err := out.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...)); err != nil {
			return err
		}
	}
}
